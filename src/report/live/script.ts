/**
 * The script of a page in progress: it reloads when the next epoch should be there, waits while the page is hidden or paused,
 * and gives up when nothing new has come for long, since a process that was killed writes no last page. A reload keeps the
 * place where the reader is.
 */
export const LIVE_SCRIPT = `
{
  const live = document.getElementById('live');
  const said = live.querySelector('[role=status]');
  const button = live.querySelector('button');
  const written = Number(live.dataset.written);
  const epoch = 1000 * Number(live.dataset.seconds);
  const patience = epoch === 0 ? 3600e3 : Math.max(120e3, 5 * epoch);
  const text = said.textContent;
  const paused = 'Paused: the page stays as it is.';
  let timer;
  const wait = () => {
    const age = Date.now() - written;
    if (age > patience) {
      said.textContent = 'Nothing new since then: the process may have ended. Reload the page to look again.';
      button.hidden = true;
      return;
    }
    const next = epoch === 0 ? 5000 : Math.max(1000, epoch / 10, epoch - age + 300);
    timer = setTimeout(() => (document.hidden ? wait() : location.reload()), next);
  };
  button.addEventListener('click', () => {
    clearTimeout(timer);
    const pause = said.textContent !== paused;
    said.textContent = pause ? paused : text;
    button.textContent = pause ? 'Go on' : 'Pause';
    if (!pause) location.reload();
  });
  button.hidden = false;
  wait();
}
`;
