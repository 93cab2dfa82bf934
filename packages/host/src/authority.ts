/**
 * The local authority: before anyone has an account, whoever can read the data directory is the
 * operator. Identity, when it comes, replaces these two ports and nothing else.
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { chmod, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemRandom } from "@banyan/kernel";
import type {
  AccessDecision,
  AccessQuestion,
  Authenticator,
  Authorizer,
  Principal,
} from "@banyan/kernel";
import { anonymous, kernelErrors, operator } from "@banyan/kernel/internal";
import { hostErrors } from "./errors.ts";

/** File in the data directory that holds the token. */
export const adminTokenFile = "admin-token";

const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads the admin token, or writes a fresh one (256 random bits, mode 0600) at the first start.
 * A file with anything else in it is replaced: a truncated token must not lock its owner out.
 *
 * @throws NODE_START_FAILED when the file can be neither read nor written.
 */
export async function openAdminToken(directory: string): Promise<string> {
  const path = join(directory, adminTokenFile);
  try {
    return (await readToken(path)) ?? (await writeToken(path));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw hostErrors.NODE_START_FAILED(
      `The admin token ${path} cannot be used: ${reason}. Make it a file that this user may read ` +
        "and write, or remove it.",
      { cause },
    );
  }
}

async function readToken(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  });
  const token = text.trim();
  if (!tokenPattern.test(token)) return undefined;
  // A restored backup may have widened it.
  await chmod(path, 0o600);
  return token;
}

async function writeToken(path: string): Promise<string> {
  // Always the real source: a node with a seeded one for tests still keeps a secret.
  const token = Buffer.from(systemRandom.bytes(32)).toString("base64url");
  const file = await open(path, "w", 0o600);
  try {
    // The mode above counts for a new file only; nothing is written into a wider one.
    await file.chmod(0o600);
    await file.writeFile(`${token}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return token;
}

/** `Authorization: Bearer <admin token>` is the operator; any other credential is refused. */
export function createAdminAuthenticator(token: string | undefined): Authenticator {
  const expected = token === undefined ? undefined : digest(token);
  return {
    authenticate({ authorization }): Principal {
      const given = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      if (given !== undefined && expected !== undefined) {
        // Digests have one length, so the comparison takes the same time whatever was sent.
        if (timingSafeEqual(digest(given), expected)) return operator;
      }
      throw kernelErrors.CALL_UNAUTHENTICATED(
        "The credential is not valid; send the token in the node's data directory as " +
          `"Authorization: Bearer …" (file ${adminTokenFile}).`,
      );
    },
  };
}

/** Operators may do everything; others what is open to everybody. */
export function createLocalAuthorizer(): Authorizer {
  return {
    decide({ principal, access }: AccessQuestion): AccessDecision {
      if (access === "anonymous") return { kind: "allowed" };
      if (principal.kind === "operator") return { kind: "allowed" };
      if (principal.kind === anonymous.kind) {
        return {
          kind: "unauthenticated",
          reason: `it needs the admin token, which stands in the file ${adminTokenFile} of the node's data directory`,
        };
      }
      return { kind: "denied", reason: "it is for the operator" };
    },
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
