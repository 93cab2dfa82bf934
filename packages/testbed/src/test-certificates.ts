/**
 * Certificates for one test, as PEM files: an authority, a server and a client that it vouches for,
 * and a foreign authority with a client of its own, which nobody has a reason to trust.
 *
 * What it owns: the folder they are in.
 */

import { writeFile } from "node:fs/promises";
import { spawnProgram } from "./child.ts";
import { ensurePrograms } from "./required-programs.ts";
import type { RequiredPrograms } from "./required-programs.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";

/** The `openssl` command. */
export const opensslPrograms: RequiredPrograms<"openssl"> = {
  what: "OpenSSL or LibreSSL",
  programs: ["openssl"],
  packages: ["openssl"],
};

/** Two files that belong together. */
export interface CertificatePair {
  /** Path of the certificate. */
  readonly certificate: string;
  /** Path of its private key. */
  readonly key: string;
}

/** What a server of the testbed needs to speak TLS; `TestCertificates` fits as it is. */
export interface ServerTls {
  /** Path of the authority that clients' certificates are held against. */
  readonly ca: string;
  readonly server: CertificatePair;
  /** Refuse a client without a certificate of that authority. Default false. */
  readonly requireClientCertificate?: boolean;
}

/** The files, until the end of the scope. */
export interface TestCertificates extends AsyncDisposable {
  readonly directory: string;
  /** Path of the authority's certificate. */
  readonly ca: string;
  /** For `localhost`, `127.0.0.1` and `::1`. */
  readonly server: CertificatePair;
  /** Its common name is `banyan`, which is also the user of the testbed's databases. */
  readonly client: CertificatePair;
  /** Path of another authority's certificate. */
  readonly foreignCa: string;
  /** What the foreign authority vouches for, under the same name. */
  readonly foreignClient: CertificatePair;
}

const serverNames = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"];
const days = ["-days", "2"];

/** Makes them. Rejects when there is no `openssl` and none can be installed. */
export async function createTestCertificates(): Promise<TestCertificates> {
  const { openssl } = await ensurePrograms(opensslPrograms);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory("certificates"));
  const maker = { openssl, folder };
  await Promise.all([makeAuthority(maker, "ca"), makeAuthority(maker, "foreign-ca")]);
  const [server, client, foreignClient] = await Promise.all([
    makePair(maker, { name: "server", ca: "ca", extensions: serverNames, subject: "localhost" }),
    makePair(maker, { name: "client", ca: "ca", subject: "banyan" }),
    makePair(maker, { name: "foreign-client", ca: "foreign-ca", subject: "banyan" }),
  ]);
  stack.move(); // whoever asked removes the folder
  return {
    directory: folder.path,
    ca: folder.join("ca.crt"),
    server,
    client,
    foreignCa: folder.join("foreign-ca.crt"),
    foreignClient,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

interface Maker {
  readonly openssl: string;
  readonly folder: TemporaryDirectory;
}

interface Wanted {
  readonly name: string;
  readonly ca: string;
  readonly subject: string;
  /** Default: a client's. */
  readonly extensions?: string;
}

async function makeAuthority(maker: Maker, name: string): Promise<void> {
  const subject = ["-subj", `/CN=Testbed ${name}`];
  const out = ["-keyout", `${name}.key`, "-out", `${name}.crt`];
  await run(maker, ["req", "-x509", ...newKey, ...subject, ...days, ...out]);
}

async function makePair(maker: Maker, wanted: Wanted): Promise<CertificatePair> {
  const { name, ca, subject, extensions } = wanted;
  const { folder } = maker;
  const use = extensions === undefined ? "clientAuth" : "serverAuth,clientAuth";
  const lines = ["basicConstraints=CA:FALSE", `extendedKeyUsage=${use}`, extensions ?? ""];
  await writeFile(folder.join(`${name}.ext`), `${lines.join("\n")}\n`);
  const request = ["-subj", `/CN=${subject}`, "-keyout", `${name}.key`, "-out", `${name}.csr`];
  await run(maker, ["req", "-new", ...newKey, ...request]);
  const authority = ["-CA", `${ca}.crt`, "-CAkey", `${ca}.key`, "-set_serial", serialOf(name)];
  const files = ["-in", `${name}.csr`, "-extfile", `${name}.ext`, "-out", `${name}.crt`];
  await run(maker, ["x509", "-req", "-sha256", ...authority, ...days, ...files]);
  return { certificate: folder.join(`${name}.crt`), key: folder.join(`${name}.key`) };
}

/** Different for each of an authority, as it must be. */
function serialOf(name: string): string {
  return `0x${Buffer.from(name).toString("hex")}`;
}

async function run({ openssl, folder }: Maker, args: readonly string[]): Promise<void> {
  await using child = spawnProgram(openssl, args, { cwd: folder.path });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`openssl ${args.join(" ")} failed:\n${child.stderr}`);
}
