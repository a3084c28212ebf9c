import assert from "node:assert/strict";
import { test } from "node:test";
import { ESLint } from "eslint";

const linter = new ESLint();
const PLACE = "tta_memory_nb/notebook/explorer/frontend/example.js";

/** The rules that a line of the front end breaks. */
async function broken(line) {
  const [result] = await linter.lintText(`export function example(element, text) {\n  ${line}\n}\n`, { filePath: PLACE });
  return result.messages.map(({ ruleId }) => ruleId);
}

for (const line of [
  "element.innerHTML = text;",
  "element.outerHTML = text;",
  'element["innerHTML"] = text;',
  'element.insertAdjacentHTML("beforeend", text);',
  "element.setHTMLUnsafe(text);",
  "element.srcdoc = text;",
  "element.href = text;",
  "element.style.cssText = text;",
  'element.setAttribute("style", text);',
  'element.setAttribute("href", text);',
  'element.setAttribute("onclick", text);',
  "element.onclick = text;",
  "document.write(text);",
  'document.createElement("script").append(text, element);',
  'new DOMParser().parseFromString(text, "text/html").append(element);',
  "document.createRange().createContextualFragment(text).append(element);",
  "eval(text, element);",
  "element.click(new Function(text));",
  "import(text).then(element);",
]) {
  test(`the linter forbids ${line}`, async () => {
    assert.ok((await broken(line)).includes("no-restricted-syntax"));
  });
}

test("the linter allows text", async () => {
  assert.deepEqual(await broken("element.append(text); element.textContent = text; element.setAttribute(\"title\", text);"), []);
});
