"use strict";
(() => {
  const table = document.querySelector("table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];

  // A number as the page prints it; a dash, which stands for no number, comes last.
  const value = (cell) => {
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const number = parseFloat(cell.textContent.replace(/[,<>%]/g, ""));
    return Number.isNaN(number) ? null : number;
  };
  const compare = (one, other) => {
    if (one === null || other === null) return (one === null) - (other === null);
    return typeof one === "string" ? one.localeCompare(other, "en", {numeric: true}) : one - other;
  };
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const isText = head.classList.contains("l") || head.classList.contains("name");
      const keys = new Map(rows.map((row) => {
        const cell = row.cells[column];
        return [row, isText && cell.dataset.v === undefined ? cell.textContent : value(cell)];
      }));
      rows.sort((one, other) => {
        const [a, b] = [keys.get(one), keys.get(other)];
        return a === null || b === null || !down ? compare(a, b) : compare(b, a);
      });
      table.classList.add("all");
      more?.remove();
      body.append(...rows);
    });
  });

  const search = document.querySelector("#search");
  const only = document.querySelector("#only");
  const count = document.querySelector("#count");
  const more = document.querySelector("#more");
  const filter = () => {
    const text = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.dataset.n.includes(text) && (!only.checked || row.className.match(/bad|remark/));
      row.classList.toggle("out", !fits);
      shown += fits ? 1 : 0;
    }
    if (text || only.checked) {
      table.classList.add("all");
      if (more) more.hidden = true;
    }
    count.textContent = `${shown} of ${rows.length} tensors`;
  };
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);
  more?.addEventListener("click", () => {
    table.classList.add("all");
    more.remove();
  });
  // A link of a finding may lead to a row that is not shown yet.
  const reveal = () => {
    const row = location.hash && document.getElementById(location.hash.slice(1));
    if (row && row.offsetParent === null) {
      table.classList.add("all");
      row.classList.remove("out");
      row.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
  document.querySelector(".tools").hidden = false;
})();
