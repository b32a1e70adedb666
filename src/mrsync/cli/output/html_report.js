for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const isDown = head.getAttribute("aria-sort") === "ascending";
      const value = (row) => row.cells[column].dataset.value;
      const order = new Intl.Collator("en", { numeric: true });
      const rows = [...body.rows].sort((a, b) => order.compare(value(a), value(b)));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      body.replaceChildren(...(isDown ? rows.reverse() : rows));
    });
  });
}
