/** Etags: a fresh nonce for every write, never used twice, whatever happens to the key. */

import { systemRandom } from "@banyan/kernel";
import type { Etag, Random } from "@banyan/kernel";

/**
 * A source of etags: 96 random bits that stand for this opening of the engine, then a count. No
 * draw per write, and no clash after a restart, after delete-and-create, or between processes.
 */
export function createEtagSource(random: Random = systemRandom): () => Etag {
  const opening = Buffer.from(random.bytes(12)).toString("base64url");
  let count = 0;
  return () => {
    count += 1;
    return `${opening}.${count.toString(36)}`;
  };
}
