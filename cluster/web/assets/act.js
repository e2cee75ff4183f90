// Actions on the lab: one at a time for each button, with the outcome and the command that does the same.

import { ask } from "./api.js";
import { h } from "./dom.js";

/** Where the outcome of the actions of one panel is shown. */
export class Outcome {
  element = h("div", { class: "outcome", role: "status" });

  /**
   * Carry out a request while `button` shows that it is busy; the answer, or null if it was refused.
   * `told`: what is said of it, or a function of the answer that gives it.
   */
  async run(request, button, told = "done") {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      const { answer, command } = await ask(request);
      this.show(typeof told === "function" ? told(answer) : told, command);
      return answer ?? true;
    } catch (error) {
      this.show(error.message, error.command, "bad");
      return null;
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }

  show(text, command, kind = "good") {
    this.element.replaceChildren(h("span", { class: kind }, text), same(command));
  }
}

/** The command that does the same. */
export const same = (command) => (command ? h("span", { class: "same" }, " the same: ", h("code", {}, command)) : "");
