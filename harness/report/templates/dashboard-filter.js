"use strict";
(() => {
  const form = document.getElementById("filter"), words = document.getElementById("words");
  const moved = document.getElementById("moved"), count = document.getElementById("count");
  const cells = [...document.querySelectorAll(".cell")].map((node) => ({ node, text: node.textContent.toLowerCase(), moved: "moved" in node.dataset }));
  const choose = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const cell of cells) {
      const fits = wanted.every((word) => cell.text.includes(word)) && (cell.moved || !moved.checked);
      cell.node.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${cells.length} cells`;
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", choose);
  choose();
})();
