// The page's side of its server: requests, and the stream of events. The token comes with the address, TOKEN or TOKEN/VIEW
// after the #, and stays in this tab.

const KEY = "xmpplab-token";

const [given, view = ""] = location.hash.slice(1).split("/");

/** The view that the address asks for; empty: none. */
export const firstView = view;

function token() {
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

const headers = { "x-xmpplab-token": token() };
addEventListener("hashchange", () => location.reload());

/** What the server refused, in its words; `command` is the one that does the same. */
export class Refused extends Error {
  constructor(text, command = "") {
    super(text);
    this.command = command;
  }
}

/** One request of cluster/web/requests: `{answer, command}`. Throws Refused. */
export async function ask(request) {
  let response, found;
  try {
    response = await fetch("/ask", {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    found = await response.json();
  } catch {
    throw new Refused("the page's server does not answer: its command has ended; start `xmpplab web` again");
  }
  if (found.error) throw new Refused(found.error, found.command);
  return found;
}

const RETRY_MS = 1000;

/** Calls `begin` for each new stream, `take` with each event, and `broken` with a text while there is no stream. */
export async function follow({ begin, take, broken }) {
  for (;;) {
    try {
      const response = await fetch("/events", { headers });
      if (!response.ok) {
        broken((await response.json()).error);
        if (response.status === 401) return;
      } else {
        begin();
        await read(response.body.getReader(), take);
        broken("the page's server has ended; start `xmpplab web` again, and open the address that it prints");
      }
    } catch {
      broken("the page's server does not answer: its command has ended; start `xmpplab web` again, and open the address that it prints");
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function read(reader, take) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) if (event.startsWith("data: ")) take(JSON.parse(event.slice(6)));
  }
}
