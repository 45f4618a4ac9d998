// A button on each block of code that copies what a reader would type: of a session in a shell or in Python only the
// lines with a prompt, without it.
"use strict";

const PROMPT = /^(?:>>> ?|\.\.\. ?|[$#] )/;

function typed(block) {
    const lines = block.textContent.replace(/\n+$/, "").split("\n");
    const console_ = block.closest(".highlight-console, .highlight-pycon, .highlight-pycon3, .doctest");
    if (!console_ && !lines.some((line) => /^(?:>>>|\$) /.test(line))) return lines.join("\n");
    const kept = lines.filter((line) => PROMPT.test(line));
    return kept.map((line) => line.replace(PROMPT, "")).join("\n");
}

document.addEventListener("DOMContentLoaded", () => {
    if (!navigator.clipboard) return; // pages that came by plain HTTP may not write there
    for (const block of document.querySelectorAll("div:not(.highlight-text) > div.highlight > pre")) {
        const button = document.createElement("button");
        button.className = "copy";
        button.type = "button";
        button.textContent = "Copy";
        button.addEventListener("click", async () => {
            try {
                await navigator.clipboard.writeText(typed(block));
                button.textContent = "Copied";
            } catch {
                button.textContent = "Not allowed";
            }
            setTimeout(() => (button.textContent = "Copy"), 1500);
        });
        block.parentElement.append(button);
    }
});
