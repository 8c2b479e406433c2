# For node-gyp and prebuildify: the only action runs set-up, which builds with CMakeLists.txt.
{
  "targets": [
    {
      "target_name": "chestmnist",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "building with CMakeLists.txt",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/chestmnist.node"],
          "action": ["node", "dist/cli/main.js", "setup", "--rebuild"]
        }
      ]
    }
  ]
}
