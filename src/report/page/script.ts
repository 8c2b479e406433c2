/** The only script of report.html: sorts the table of labels, and opens collapsed sections before printing. */
export const SCRIPT = `
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const live = document.getElementById('sorted');
  for (const button of table.querySelectorAll('thead button')) {
    button.addEventListener('click', () => {
      const th = button.closest('th');
      const column = th.cellIndex;
      // Figures sort in descending order first, names in ascending order.
      const [first, second] = column === 0 ? ['ascending', 'descending'] : ['descending', 'ascending'];
      const order = th.getAttribute('aria-sort') === first ? second : first;
      for (const other of table.querySelectorAll('thead th')) other.removeAttribute('aria-sort');
      th.setAttribute('aria-sort', order);
      const key = (row) => row.cells[column].dataset.value;
      const sign = order === 'ascending' ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a), y = key(b);
        if (x === '' || y === '') return (x === '') - (y === '');
        return sign * (column === 0 ? x.localeCompare(y) : x - y);
      });
      body.append(...rows);
      live.textContent = 'Sorted by ' + button.textContent + ', ' + order;
    });
  }
}
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
`;
