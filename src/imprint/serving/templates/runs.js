// The list of runs: which are ticked, and which have the words of the filter, also when it is written anew.
"use strict";
{
  const part = document.querySelector("[data-live]"), filter = document.querySelector("#filter");
  const compare = document.querySelector("#compare"), told = document.querySelector("#chosen");
  let ticked = new Set(), focused = null;
  const boxes = () => [...part.querySelectorAll("input[name=key]")];
  const count = () => {
    ticked = new Set(boxes().filter(box => box.checked).map(box => box.value));
    compare.disabled = !ticked.size;
    told.textContent = ticked.size ? `${ticked.size} chosen` : "Tick runs to compare them.";
  };
  const sift = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of part.querySelectorAll("tbody tr")) row.hidden = !words.every(word => row.dataset.words.includes(word));
  };
  part.addEventListener("change", count);
  part.addEventListener("renewing", () => { focused = document.activeElement?.matches("input[name=key]") ? document.activeElement.value : null; });
  part.addEventListener("renewed", () => {
    for (const box of boxes()) {
      box.checked = ticked.has(box.value);
      if (box.value === focused) box.focus();
    }
    count();
    sift();
  });
  filter.addEventListener("input", sift);
  filter.addEventListener("keydown", event => { if (event.key === "Enter") event.preventDefault(); });
  count();
  sift();
}
