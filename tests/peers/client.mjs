// deno-lint-ignore-file explicit-module-boundary-types
// The built-in WebSocket of whatever runs this, a runtime or a page: sends messages to an echo, and says what came of it.
export async function run(url, protocols = []) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const inbox = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    inbox.push(data);
    wake();
  };
  const ended = new Promise((resolve) =>
    socket.onclose = ({ code, reason, wasClean }) => {
      resolve({ code, reason, wasClean });
      wake();
    }
  );
  socket.onerror = () => {};
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    ended.then(() => reject(new Error("closed before it was open")));
  });
  const next = async () => {
    while (inbox.length === 0) {
      if (socket.readyState > 1) throw new Error("closed while a message was awaited");
      await new Promise((resolve) => wake = resolve);
    }
    return inbox.shift();
  };
  let count = 0;
  const pattern = "0123456789 κόσμε 😀 ";
  for (let round = 0; round < 3; round++) {
    for (const length of [0, 1, 125, 126, 127, 1000, 65535, 65536, 300000]) {
      const text = pattern.repeat(Math.ceil(length / pattern.length)).slice(0, length).replace(/[\ud800-\udbff]$/, "x");
      socket.send(text);
      const back = await next();
      if (back !== text) throw new Error(`a text of ${length} came back otherwise: ${String(back).slice(0, 50)}`);
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + round + (at >> 8)) & 0xff);
      socket.send(bytes);
      const copy = new Uint8Array(await next());
      if (copy.length !== length || copy.some((byte, at) => byte !== bytes[at])) {
        throw new Error(`${length} bytes came back otherwise`);
      }
      count += 2;
    }
  }
  // Many at once.
  for (let index = 0; index < 200; index++) socket.send(`message ${index} ${"x".repeat(index)}`);
  for (let index = 0; index < 200; index++) {
    const back = await next();
    if (back !== `message ${index} ${"x".repeat(index)}`) throw new Error(`message ${index} came back otherwise`);
    count++;
  }
  const { extensions, protocol } = socket;
  socket.close(4001, "done");
  return { count, extensions, protocol, ...await ended };
}

const { argv } = globalThis.process ?? {};
if (argv?.[2]) console.log(JSON.stringify(await run(argv[2])));
