/** The learning rate of every epoch against PyTorch's scheduler, live. */
import { learningRate } from '../../src/recipe/schedule';
import { describeWithPython, runReference } from '../support/reference';

const base = { lr: 1e-3, gamma: 0.1, epochs: 100, milestones: ['50%', '75%'] };

describeWithPython('learning rates are those of torch.optim.lr_scheduler.MultiStepLR', () => {
  test('the same doubles, also for repeated milestones', async () => {
    const cases = [
      { ...base, milestones: [50, 75] },
      { ...base, lr: 0.0123, gamma: 0.3, epochs: 12, milestones: [3, 3, 7, 20] },
      { ...base, lr: 3e-4, gamma: 1.7, epochs: 9, milestones: [1, 2, 3] },
    ];
    const expected = await runReference(
      `
import json, sys, torch
out = []
for c in json.loads(sys.argv[1]):
    p = torch.nn.Parameter(torch.zeros(1)); o = torch.optim.Adam([p], lr=c["lr"])
    s = torch.optim.lr_scheduler.MultiStepLR(o, c["milestones"], gamma=c["gamma"]); lrs = []
    for _ in range(c["epochs"]):
        lrs.append(o.param_groups[0]["lr"]); o.step(); s.step()
    out.append(lrs)
print(json.dumps(out))`,
      JSON.stringify(cases),
    );
    const ours = cases.map((c) => Array.from({ length: c.epochs }, (_, epoch) => learningRate(c, epoch)));
    expect(ours).toEqual(expected);
  });
});
