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

/** Connects once; rejects if that cannot be. */
async function connect(receiver: WhatsAppReceiver): Promise<void> {
  view.showConnection("connecting", "Connecting …");
  await receiver.connect();
  view.showConnection("online", "Connected");
}

/** Stays connected: when the connection is lost, it is made anew, at random moments so that not all pages come at once. */
async function stayConnected(receiver: WhatsAppReceiver): Promise<never> {
  for (let tries = 0;;) {
    await receiver.connection?.closed;
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** tries++);
    const ms = longest * (0.5 + Math.random() / 2);
    view.showConnection("offline", `Connection lost. Next try in ${Math.ceil(ms / 1000)} s`);
    await pause(ms);
    await connect(receiver).then(() => tries = 0, () => {
      // A browser does not say why; the next try may tell.
    });
  }
}

/** The token the user enters. */
function askForToken(hint: string): Promise<string> {
  view.showConnection("offline", "Not connected");
  find("sign-in-hint", HTMLElement).textContent = hint;
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(token.value), { once: true }));
}

/** Asks until the server lets this page in. */
async function signIn(): Promise<WhatsAppReceiver> {
  let known = sessionStorage.getItem(TOKEN_KEY);
  let hint = "";
  for (;;) {
    const receiverToken = known ?? await askForToken(hint);
    const receiver = makeReceiver(receiverToken);
    try {
      await connect(receiver);
      sessionStorage.setItem(TOKEN_KEY, receiverToken);
      return receiver;
    } catch {
      known = null;
      hint = "The server did not let this page in. Is the token right, and the server running?";
    }
  }
}

// The dialog cannot be left without a token.
dialog.addEventListener("cancel", (event) => event.preventDefault());
await stayConnected(await signIn());
