/** A client of a program that is started without the permission to connect; prints what ends it. */

import { WebSocketClient } from "../../client.ts";
import { connectFault } from "../../transport/connect_fault.ts";

const client = new WebSocketClient("ws://127.0.0.1:1/", { reconnect: { maxAttempts: 3 } });
const error = await client.connect().catch((error) => error);
console.log(`${connectFault(error)} after ${client.stats().refusals.ERR_CONNECT}`);
