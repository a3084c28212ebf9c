// How the front end and its tests are linted. Names that do not exist are found by the type checker.

import js from "@eslint/js";

const HOSTILE = "a text of a record must reach neither markup, addresses nor styles: build elements and text nodes with h() and svg()";

/** What makes markup, code, addresses or styles of a text. */
const FORBIDDEN = [
  "MemberExpression[property.name=/^(innerHTML|outerHTML|srcdoc|cssText|insertAdjacentHTML|setHTML|setHTMLUnsafe|createContextualFragment|parseFromString|insertRule)$/]",
  "MemberExpression[property.value=/^(innerHTML|outerHTML|srcdoc|cssText|insertAdjacentHTML)$/]",
  "MemberExpression[object.name='document'][property.name=/^(write|writeln)$/]",
  "AssignmentExpression > MemberExpression.left[property.name=/^(href|src|action|formAction|location|onclick|onerror|onload)$/]",
  "NewExpression[callee.name=/^(DOMParser|Function)$/]",
  "CallExpression[callee.name=/^(eval|Function)$/]",
  "CallExpression[callee.property.name='createElement'][arguments.0.value=/^(script|style|iframe|link|img|object|embed)$/]",
  "CallExpression[callee.name=/^(h|svg)$/][arguments.0.value=/^(script|style|iframe|link|img|object|embed|base)$/]",
  "CallExpression[callee.property.name=/^setAttribute(NS)?$/][arguments.0.value=/^(on.*|style|href|src|srcdoc|action|formaction|xlink:href)$/]",
  "ImportExpression",
];

export default [
  { ignores: ["**/node_modules/", ".venv*/", "build/", "docs/", "**/*.d.ts"] },
  js.configs.recommended,
  {
    rules: {
      "no-undef": "off",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-shadow": "error",
      "no-throw-literal": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": ["error", { caughtErrors: "all", ignoreRestSiblings: true }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "one-var": ["error", "never"],
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
  {
    files: ["tta_memory_nb/**/*.js"],
    rules: { "no-restricted-syntax": ["error", ...FORBIDDEN.map((selector) => ({ selector, message: HOSTILE }))] },
  },
  // It imports the code and the style that the package sends, and reads nothing of a record.
  { files: ["**/frontend/loader.js"], rules: { "no-restricted-syntax": "off" } },
];
