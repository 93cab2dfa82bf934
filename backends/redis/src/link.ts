/** The way to the keys: one server, or the members of a Cluster. */

import { readFileSync } from "node:fs";
import type { Redis, RedisOptions as DriverOptions } from "ioredis";
import type { Waiting } from "@banyan/kernel";
import { redisErrors, replyFailure } from "./errors.ts";
import type { RedisPlace, ResolvedRedisOptions } from "./options.ts";
import type { RedisQuestion, RedisReply } from "./request.ts";
import type { RedisScripts } from "./scripts.ts";

export interface RedisLink {
  readonly isCluster: boolean;
  readonly scripts: RedisScripts;
  /** Whether the server that has this tag's slot is connected. */
  isReadyFor(tag: string): boolean;
  /** Hands over at once; resolves with the reply (E8). */
  ask(question: RedisQuestion, waiting?: Waiting): Promise<RedisReply>;
  /** Resolves when every server that has keys answers. */
  check(waiting?: Waiting): Promise<void>;
  /** The driver's clients that are in use now, one for each server. */
  clients(): readonly Redis[];
  /** Waits for what was asked, then lets go. */
  close(): Promise<void>;
}

/** What is the same for all connections of a link. */
export interface LinkParts {
  readonly options: ResolvedRedisOptions;
  readonly scripts: RedisScripts;
}

const VERSION_MIN = 7;

export function placeName(place: RedisPlace): string {
  return "path" in place ? place.path : `${place.host}:${place.port}`;
}

/** The driver's options for a server. @throws REDIS_CERTIFICATE_REFUSED when a file is not there */
export function driverOptions(place: RedisPlace, options: ResolvedRedisOptions): DriverOptions {
  const { username, password, database, tls } = options;
  return {
    ...place,
    db: database,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...pem("ca", tls.ca),
            ...pem("cert", tls.certificate),
            ...pem("key", tls.key),
            ...serverName(place, tls.servername),
          },
        }),
  };
}

function pem(name: string, path: string | undefined): Record<string, Buffer> {
  if (path === undefined) return {};
  try {
    return { [name]: readFileSync(path) };
  } catch (cause) {
    throw redisErrors.REDIS_CERTIFICATE_REFUSED(
      `The PEM file ${path} of the Redis engine's tls cannot be read; check the path.`,
      { details: { path }, cause },
    );
  }
}

/** A name for TLS is no address: without one the certificate is held against the address. */
function serverName(place: RedisPlace, servername: string | undefined): { servername?: string } {
  if (servername !== undefined) return { servername };
  return "host" in place && !/^[\d.]+$|:/.test(place.host) ? { servername: place.host } : {};
}

/**
 * Refuses a server that the engine cannot work on.
 *
 * @throws REDIS_UNFIT, REDIS_AUTH_REFUSED
 */
export async function examineServer(
  redis: Redis,
  place: string,
  isCluster: boolean,
): Promise<ServerFacts> {
  const text = await redis.info().catch((error: unknown) => {
    throw replyFailure(error, place);
  });
  const fact = (name: string): string =>
    new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1] ?? "";
  const version = fact("redis_version");
  if (Number.parseInt(version, 10) < VERSION_MIN) {
    throw redisErrors.REDIS_UNFIT(
      `The server at ${place} is Redis ${version}; the engine needs ${VERSION_MIN} or newer.`,
      { details: { place } },
    );
  }
  const isMember = fact("cluster_enabled") === "1";
  if (isMember !== isCluster) {
    throw redisErrors.REDIS_UNFIT(
      isMember
        ? `Redis at ${place} is a member of a Cluster; list its members as \`cluster\`, not as url.`
        : `Redis at ${place} is no member of a Cluster; give its url instead of \`cluster\`.`,
      { details: { place } },
    );
  }
  return { evicts: fact("maxmemory") !== "0" && !/^$|^noeviction$/.test(fact("maxmemory_policy")) };
}

export interface ServerFacts {
  /** Whether it drops keys on its own when its memory is full. */
  readonly evicts: boolean;
}
