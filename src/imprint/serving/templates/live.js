// Parts of a page that are fetched again, and put in where they have changed.
"use strict";
// Pictures of few pixels show each of them, as in reports.
const sharpen = image => image.classList.toggle("small", image.naturalWidth > 0 && Math.max(image.naturalWidth, image.naturalHeight) <= 128);
document.addEventListener("load", event => { if (event.target.tagName === "IMG") sharpen(event.target); }, true);
for (const image of document.images) sharpen(image);
for (const part of document.querySelectorAll("[data-live]")) {
  const ended = document.querySelector(".ended");
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const address = new URL(part.dataset.live, location);
        address.searchParams.set("version", part.dataset.version);
        const answer = await fetch(address);
        ended.hidden = true;
        if (answer.status === 200) {
          const text = await answer.text();
          part.dataset.version = answer.headers.get("x-version");
          part.dispatchEvent(new Event("renewing"));
          part.innerHTML = text;
          part.dispatchEvent(new Event("renewed"));
        }
      } catch {
        ended.hidden = false;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(look, part.querySelector("[data-busy]") ? 400 : 2000);
  };
  timer = setTimeout(look, 1000);
  part.addEventListener("look", look);
  document.addEventListener("visibilitychange", look);
}
