import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const VERSION = "version of the code"; // as it stands in the file of the loader
const STYLE = ".tta-explorer { color: red }";
const MODULE = `
globalThis.imports = (globalThis.imports ?? 0) + 1;
export default (model, el, opening) => {
  el.shown = { model, opening };
  return () => delete el.shown;
};`;

// Node.js imports no blobs: the text is put into the address, each time into another one.
let blobs = 0;
globalThis.Blob = class {
  constructor([text]) {
    this.text = text;
  }
};
URL.createObjectURL = (blob) => `data:text/javascript,${encodeURIComponent(`${blob.text} // ${blobs += 1}`)}`;
URL.revokeObjectURL = () => {};

/** An element that keeps what is put into it. */
class Element {
  constructor(name) {
    Object.assign(this, { name, children: [], textContent: "" });
  }

  replaceChildren(...children) {
    this.children = children;
  }

  get text() {
    return this.children.map((child) => child.textContent).join("");
  }
}

let pages = 0;
let loader;

/** A new page, in which a new loader is imported. */
beforeEach(async () => {
  globalThis.document = { createElement: (name) => new Element(name) };
  delete globalThis.ttaMemoryExplorers;
  delete globalThis.imports;
  loader = (await import(`../../tta_memory_nb/notebook/explorer/frontend/loader.js?page=${pages += 1}`)).default;
});

/** A widget in the page. */
function open({ isBroken = false } = {}) {
  const [sent, listeners, el] = [[], new Set(), new Element("div")];
  const model = {
    send(message) {
      if (isBroken) throw new Error("no connection");
      sent.push(message);
    },
    on: (_event, listener) => listeners.add(listener),
    off: (_event, listener) => listeners.delete(listener),
  };
  const close = loader.render({ model, el });
  return { model, el, sent, listeners, close, receive: (message) => listeners.forEach((listener) => listener(message)) };
}

const code = (changes = {}) => ({ kind: "code", version: VERSION, module: MODULE, style: STYLE, ...changes });

/** Waits until a condition holds, while modules are imported. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("the code is asked for until it comes, and then shows the widget with its style", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { el, sent, listeners, model, receive } = open();
  context.mock.timers.tick(400);
  assert.deepEqual(sent, [{ do: "load" }, { do: "load" }]);
  receive(code());
  await until(() => el.shown);
  assert.deepEqual(el.shown, { model, opening: null });
  assert.deepEqual(el.children.map(({ name, textContent }) => [name, textContent]), [["style", STYLE]]);
  assert.equal(listeners.size, 0);
  context.mock.timers.tick(60_000);
  assert.equal(sent.length, 2);
});

test("rows that come before the code, or while it is imported, are shown with it", async () => {
  for (const isBefore of [true, false]) {
    delete globalThis.ttaMemoryExplorers;
    loader = (await import(`../../tta_memory_nb/notebook/explorer/frontend/loader.js?page=${pages += 1}`)).default;
    const { el, receive, close } = open();
    const opening = { kind: "opening", state: { now: 1 } };
    for (const message of isBefore ? [opening, code()] : [code(), opening]) receive(message);
    await until(() => el.shown);
    assert.equal(el.shown.opening, opening);
    close();
  }
});

test("all explorers of a page share the code, also those that are opened later", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [first, second] = [open(), open()];
  first.receive(code());
  second.receive(code());
  await until(() => first.el.shown && second.el.shown);
  const third = open();
  await until(() => third.el.shown);
  context.mock.timers.tick(60_000);
  assert.equal(globalThis.imports, 1);
  assert.deepEqual(third.sent, []);
});

test("the code of another version is not taken", async () => {
  const { el, receive, close } = open();
  receive(code({ version: "another", module: "throw new Error('wrong')" }));
  receive(code());
  await until(() => el.shown);
  close();
});

for (const isBroken of [false, true]) {
  test(`without a kernel the widget says so${isBroken ? ", also where nothing can be sent" : ""}, and starts when the code comes after all`, async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { el, receive } = open({ isBroken });
    context.mock.timers.tick(7999);
    assert.equal(el.text, "");
    context.mock.timers.tick(1);
    assert.match(el.text, /^No kernel answers, .* Run the cell again\.$/);
    receive(code());
    await until(() => el.shown);
    assert.equal(el.text, STYLE);
  });
}

test("code that the browser cannot run is reported in one sentence, to every explorer", async () => {
  const [first, second] = [open(), open()];
  first.receive(code({ module: "this is no code" }));
  await until(() => first.el.text && second.el.text);
  for (const { el, listeners } of [first, second]) {
    assert.match(el.text, /^The explorer cannot start in this browser: SyntaxError/);
    assert.equal(listeners.size, 0);
  }
});

test("a widget that is removed while it waits is never shown", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [first, second] = [open(), open()];
  first.close();
  assert.equal(first.listeners.size, 0);
  second.receive(code());
  await until(() => second.el.shown);
  context.mock.timers.tick(60_000);
  assert.equal(first.el.shown, undefined);
  assert.deepEqual(first.sent, []);
  second.close();
  assert.equal(second.el.shown, undefined);
});
