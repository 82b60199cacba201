// The samples of the chosen step: of the newest one, until another is chosen.
"use strict";
{
  const part = document.querySelector("[data-live]");
  let chosen = null;
  const steps = () => part.querySelector("#step")?.dataset.steps.split(" ") ?? [];
  const show = step => {
    part.querySelector("#shown").textContent = step;
    for (const figure of part.querySelectorAll(".samples figure")) {
      for (const picture of figure.querySelectorAll("img")) picture.hidden = picture.dataset.step !== step;
    }
  };
  part.addEventListener("input", event => {
    if (event.target.id !== "step") return;
    const own = steps(), place = Number(event.target.value);
    chosen = place === own.length - 1 ? null : own[place];
    show(own[place]);
  });
  part.addEventListener("renewed", () => {
    const place = steps().indexOf(chosen);
    if (place < 0) return;
    part.querySelector("#step").value = place;
    show(chosen);
  });
}
