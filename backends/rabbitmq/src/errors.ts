/** What can go wrong with a RabbitMQ, by name, so that an operator knows what to do at night. */

import { defineErrors } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";

export const rabbitmqErrors = defineErrors({
  RABBITMQ_UNREACHABLE: {
    kind: "unavailable",
    summary:
      "No connection to RabbitMQ; the bus keeps trying and keeps what is published meanwhile. Check address, network and server.",
  },
  RABBITMQ_REFUSED: {
    kind: "failed_precondition",
    summary:
      "RabbitMQ refused user, password or virtual host, or the user may not do what the bus needs.",
  },
  RABBITMQ_CERTIFICATE_REFUSED: {
    kind: "failed_precondition",
    summary:
      "TLS failed: the certificate of the server does not fit `tls.ca` or the name, or it refused ours.",
  },
  RABBITMQ_BLOCKED: {
    kind: "unavailable",
    summary:
      "RabbitMQ is short of memory or disk and takes nothing from publishers until an operator helps.",
  },
  RABBITMQ_OUTAGE: {
    kind: "unavailable",
    summary:
      "Messages waited for RabbitMQ longer than `outboundAgeMaxMs`, or for as long their row was full or none was taken, and `outboundPolicy` is `stop`: the node ended itself for its supervisor to start it again. Look at the server; the log names what was lost.",
  },
  RABBITMQ_UNFIT: {
    kind: "failed_precondition",
    summary:
      "The server cannot do what the bus needs, or a queue of that name was declared otherwise by somebody else.",
  },
});

const certificateCodes =
  /CERT|SIGNATURE|SELF_SIGNED|ISSUER|ALTNAME|ERR_SSL|ERR_TLS|UNABLE_TO_VERIFY|EPROTO/;

/** Why there is no connection. */
export function connectFailure(error: unknown, place: string): BanyanError {
  const said = textOf(error);
  const code = codeOf(error);
  const details = { place };
  if (certificateCodes.test(String(code))) {
    return rabbitmqErrors.RABBITMQ_CERTIFICATE_REFUSED(
      `TLS with RabbitMQ at ${place} failed: ${String(code)}.`,
      { details, cause: error },
    );
  }
  if (code === 403 || /ACCESS.REFUSED|ACCESS_REFUSED/i.test(said)) {
    return rabbitmqErrors.RABBITMQ_REFUSED(
      `RabbitMQ at ${place} refused the user or the password.`,
      { details, cause: error },
    );
  }
  // The client does not tell why the server closed instead of opening the virtual host.
  if (code === 530 || /NOT.ALLOWED|Expected ConnectionOpenOk/i.test(said)) {
    return rabbitmqErrors.RABBITMQ_REFUSED(
      `RabbitMQ at ${place} does not let the user into the virtual host, or has none of that name.`,
      { details, cause: error },
    );
  }
  return rabbitmqErrors.RABBITMQ_UNREACHABLE(
    `The connection to RabbitMQ at ${place} failed: ${typeof code === "string" ? code : said}.`,
    { details, cause: error },
  );
}

/** True where trying again mends nothing. */
export function isFinalFailure(error: BanyanError): boolean {
  return error.code !== "RABBITMQ_UNREACHABLE" && error.code !== "RABBITMQ_BLOCKED";
}

/** AMQP's reply code, or Node's word. */
export function codeOf(error: unknown): string | number | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" || typeof code === "number" ? code : undefined;
}

/** Bytes: the most a message may have, where the server ended a channel over a larger one. */
export function sizeMaxOf(error: unknown): number | undefined {
  if (codeOf(error) !== 406) return undefined;
  const said = /message size \d+ is larger than (?:configured )?max size (\d+)/.exec(textOf(error));
  return said === null ? undefined : Number(said[1]);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of whatever needs a connection, while there is none. */
export function notConnected(cause: Error): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    `There is no connection to RabbitMQ: ${cause.message}`,
    { cause },
  );
}

/** What the server refused the user; `undefined`: it was something else. */
export function deniedBy(error: unknown, namespace: string): Error | undefined {
  if (codeOf(error) !== 403 && !isBanyanError(error, "RABBITMQ_REFUSED")) return undefined;
  return rabbitmqErrors.RABBITMQ_REFUSED(
    `RabbitMQ does not let the user do what the bus needs: configure, write and read on ` +
      `${namespace}\\..*, and write on amq\\.default; give it those with rabbitmqctl set_permissions.`,
    { cause: error },
  );
}
