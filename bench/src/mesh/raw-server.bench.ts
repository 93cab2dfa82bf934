/** Subject: framed TCP that answers what it is asked, and pushes. Argument: TLS files, if any. */

import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { serveMeasures } from "../subject.ts";
import { readTls } from "./fleet-banyan.ts";
import { entryAt } from "./ledger.contract.ts";
import { memoryNow } from "./memory-now.ts";
import { listenRaw, RawLink } from "./raw-link.ts";

/** Frames that are pushed before the socket is looked at. */
const batchFrames = 256;

function serve(socket: Socket): void {
  const link = new RawLink(socket, (call, text) => {
    const request: unknown = JSON.parse(text);
    if (isFollow(request)) void push(link, call, request.frames);
    else link.send(call, JSON.stringify(request));
  });
}

async function push(link: RawLink, call: number, frames: number): Promise<void> {
  for (let count = 0; count < frames; count += 1) {
    link.send(call, JSON.stringify(entryAt(count)));
    if (count % batchFrames === 0) await setImmediate();
    if (link.socket.writableNeedDrain) {
      await new Promise((resolve) => link.socket.once("drain", resolve));
    }
  }
}

function isFollow(request: unknown): request is { readonly frames: number } {
  return typeof request === "object" && request !== null && "frames" in request;
}

const port = await listenRaw(readTls(process.argv[2]), serve);
serveMeasures({ memory: memoryNow }, { address: String(port) });
