/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The program of the page: asks for the token, keeps a `WhatsAppReceiver` connected, and hands what comes to the view.
 */

import { WhatsAppReceiver } from "../../browser.ts";
import { Conversations } from "./conversations.ts";
import { find } from "./elements.ts";
import { InboxView } from "./view.ts";

/** For this tab only, and gone with it. */
const TOKEN_KEY = "receiver-token";
/** The pause before another try, in ms: it doubles with each, up to the most. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

const conversations = new Conversations();
const view = new InboxView(conversations);
const dialog = find("sign-in", HTMLDialogElement);
const token = find("token", HTMLInputElement);

function makeReceiver(receiverToken: string): WhatsAppReceiver {
  const url = new URL(document.documentElement.dataset.receiver!, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WhatsAppReceiver(url, {
    receiverToken,
    onWhatsAppMessageReceived(message) {
      const change = conversations.takeMessage(message);
      if (change !== undefined) view.show(change);
    },
    onStatusReceived(status) {
      const change = conversations.takeStatus(status);
      if (change !== undefined) view.show(change);
    },
    onNotification(record) {
      const change = record.kind === "echo"
        ? conversations.takeEcho(record)
        : record.kind === "payment"
        ? conversations.takePayment(record)
        : undefined;
      if (change !== undefined) view.show(change);
    },
  });
}

/** Waits for some time, or until the browser says that there is a network again. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  });
}

/** Connects once, and says whether that worked. */
async function connect(receiver: WhatsAppReceiver): Promise<boolean> {
  view.showConnection("connecting", "Connecting …");
  try {
    await receiver.connect();
  } catch {
    return false;
  }
  view.showConnection("online", "Connected");
  return true;
}

/** Tells whether the server answers at all: of a WebSocket, a browser does not say why there is none. */
function serverAnswers(): Promise<boolean> {
  const request = fetch(location.href, { method: "HEAD", cache: "no-store" });
  return request.then(({ status }) => status < 500, () => false);
}

/**
 * Stays connected until the server does not take the token any more: when the connection is lost, it is made anew, at
 * random moments so that not all pages come at once.
 */
async function stayConnected(receiver: WhatsAppReceiver): Promise<void> {
  for (let tries = 0;;) {
    // The second time: the server may have come back just now.
    if (await connect(receiver) || await serverAnswers() && await connect(receiver)) {
      tries = 0;
      sessionStorage.setItem(TOKEN_KEY, receiverToken);
      await receiver.connection!.closed;
    } else if (await serverAnswers()) return;
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** tries++);
    const ms = longest * (0.5 + Math.random() / 2);
    view.showConnection("offline", `Connection lost. Next try in ${Math.ceil(ms / 1000)} s`);
    await pause(ms);
  }
}

/** The token the user enters. */
function askForToken(hint: string): Promise<string> {
  view.showConnection("offline", "Not connected");
  find("sign-in-hint", HTMLElement).textContent = hint;
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(token.value.trim()), { once: true }));
}

// The dialog cannot be left without a token.
dialog.addEventListener("cancel", (event) => event.preventDefault());
let receiverToken = sessionStorage.getItem(TOKEN_KEY) ?? await askForToken("");
for (;;) {
  await stayConnected(makeReceiver(receiverToken));
  receiverToken = await askForToken("The server did not let this page in. Is the token right?");
}
