// Asks for two pictures, and for their end.
"use strict";
{
  const form = document.querySelector("#try"), drawn = document.querySelector("#drawn"), refused = document.querySelector("#refused");
  const number = field => field.value === "" ? null : Number(field.value);
  const post = async (address, content) => {
    refused.hidden = true;
    try {
      const answer = await fetch(address, {method: "POST", headers: {"x-imprint-token": form.dataset.token}, body: JSON.stringify(content)});
      if (!answer.ok) {
        refused.textContent = (await answer.json()).error;
        refused.hidden = false;
      }
    } catch {
      refused.textContent = "imprint serve does not answer any more.";
      refused.hidden = false;
    }
    drawn.dispatchEvent(new Event("look"));
  };
  const strengths = () => {
    for (const side of form.querySelectorAll("fieldset")) {
      const has = side.querySelector("select").selectedOptions[0].dataset.strength === "yes", field = side.querySelector("[name=strength]");
      field.disabled = !has;
      field.title = has ? "1: as it was trained; 0: as if it had not been" : "What this run learned has no strength to choose";
      if (!has) field.value = 1;
    }
  };
  form.addEventListener("change", strengths);
  form.addEventListener("submit", event => {
    event.preventDefault();
    const sides = [...form.querySelectorAll("fieldset")].map(side => ({
      run: side.querySelector("[name=run]").value,
      prompt: side.querySelector("[name=prompt]").value,
      strength: Number(side.querySelector("[name=strength]").value),
    }));
    const {seed, steps, guidance} = form.elements;
    post("/try/draw", {sides, seed: number(seed), steps: number(steps), guidance: number(guidance)});
  });
  form.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.querySelector("#other").addEventListener("click", () => {
    form.elements.seed.value = Math.floor(Math.random() * 1e6);
  });
  drawn.addEventListener("click", event => {
    if (event.target.id === "cancel") post("/try/cancel", {});
  });
  strengths();
}
