/** Subject: a client of framed TCP. Arguments: TLS files (`""`: none), port. */

import { serveCaller } from "./caller.ts";
import { readTls } from "./fleet-banyan.ts";
import { connectRaw, RawLink } from "./raw-link.ts";

const [files, port] = process.argv.slice(2);
const waiting = new Map<number, (answer: unknown) => void>();
let number = 0;
const link = new RawLink(connectRaw(Number(port), readTls(files)), (call, text) => {
  waiting.get(call)?.(JSON.parse(text));
});

function send(request: unknown, answered: (answer: unknown) => void): number {
  number += 1;
  waiting.set(number, answered);
  link.send(number, JSON.stringify(request));
  return number;
}

function ask(request: unknown): Promise<unknown> {
  return new Promise((resolve) => {
    const call = send(request, (answer) => {
      waiting.delete(call);
      resolve(answer);
    });
  });
}

await serveCaller({
  say: ask,
  list: ask,
  follow: (frames, see) =>
    new Promise((resolve) => {
      let left = frames;
      const call = send({ frames }, (entry) => {
        see(entry);
        left -= 1;
        if (left > 0) return;
        waiting.delete(call);
        resolve(undefined);
      });
    }),
});
