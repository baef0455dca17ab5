/** The client of peers that have the `WebSocket` of the browsers: the same program for all of them. */

/**
 * Writes the program.
 *
 * @param imports Statements before it.
 * @param options Source of further arguments of the constructor, behind the URL.
 */
export function webClient(imports = "", options = ""): string {
  return `import process from "node:process";
${imports}
const socket = new WebSocket(process.env.PEER_URL${options === "" ? "" : `, ${options}`});
socket.binaryType = "arraybuffer";
socket.onmessage = ({ data }) => {
  if (typeof data !== "string" || !data.startsWith("#close")) return socket.send(data);
  const [, code] = data.split(" ");
  if (code === undefined) socket.close();
  else socket.close(Number(code));
};
socket.onclose = ({ code }) => console.log("closed", code);
socket.onerror = ({ message }) => console.error("error", message);
`;
}
