/** The wait at the start, for a server that comes up with us; not for one that never will. */

import type { BanyanError } from "@banyan/kernel";
import { handshakeFailure, isFinal } from "./errors.ts";
import type { ResolvedRedisOptions } from "./options.ts";

/** What tells when to look again. */
export interface Connecting {
  readonly isReady: boolean;
  readonly failure: BanyanError;
  onChange: () => void;
}

/**
 * Resolves when it is ready.
 *
 * @throws REDIS_UNREACHABLE after `connectTimeoutMs`; at once what trying again does not mend:
 *   REDIS_AUTH_REFUSED, REDIS_CERTIFICATE_REFUSED, REDIS_UNFIT
 */
export async function untilConnected(
  link: Connecting,
  { clock, connectTimeoutMs, tls }: ResolvedRedisOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const look = (): void => {
    if (link.isReady) resolve(undefined);
    else if (isFinal(link.failure)) reject(link.failure);
  };
  const giveUp = (): void => {
    reject(tls === undefined ? link.failure : handshakeFailure(link.failure));
  };
  const cancel = clock.setTimer(connectTimeoutMs, giveUp, { keepAlive: true });
  const before = link.onChange;
  link.onChange = look;
  look();
  try {
    await promise;
  } finally {
    cancel();
    link.onChange = before;
  }
}
