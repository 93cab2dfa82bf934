/** The wait at the start, for a server that comes up with us; not for one that never will. */

import { isFinalFailure } from "./errors.ts";
import type { Link } from "./link.ts";
import type { ResolvedRabbitmqOptions } from "./options.ts";

/**
 * Resolves when there is a connection.
 * @throws RABBITMQ_UNREACHABLE after `connectTimeoutMs`; at once what trying again does not mend
 */
export async function untilConnected(
  link: Link,
  { clock, connectTimeoutMs }: ResolvedRabbitmqOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const look = (): void => {
    if (link.connection !== undefined) resolve(undefined);
    else if (link.wasTried && isFinalFailure(link.failure)) reject(link.failure);
  };
  const cancel = clock.setTimer(connectTimeoutMs, () => reject(link.failure), { keepAlive: true });
  link.onChange = look;
  look();
  try {
    await promise;
  } finally {
    cancel();
    link.onChange = () => undefined;
  }
}
