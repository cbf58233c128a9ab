import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** For `skip`: false, or why a program of Debian's is not there. */
export function without(program: string, packageName = program): string | false {
  const found = spawnSync('which', [program]).status === 0;
  return found ? false : `${program} is not installed (apt-get install ${packageName})`;
}

/** Runs a program; returns what it printed. Rejects with its `stderr` when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const running = promisify(execFile)(program, args, { maxBuffer: 16 << 20, ...options });
  // A program that wants no input may have ended before it is written.
  running.child.stdin!.on('error', () => {}).end(options.input ?? '');
  return (await running).stdout;
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes an OCI layout with one image, `<directory>:v1`, of one layer with these files; answers the digests of its
 * manifest and layer. Source: OCI Image Specification 1.1, "Image Layout".
 */
export async function writeLayout(
  directory: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<{ readonly manifest: string; readonly layer: string }> {
  const archive = pack();
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mtime: new Date(0) }, Buffer.from(content));
  archive.finalize();
  const tar = await buffer(archive);
  const layer = gzipSync(tar);
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    await writeFile(join(directory, 'blobs', 'sha256', digestOf(bytes)), bytes);
    return { mediaType, digest: `sha256:${digestOf(bytes)}`, size: bytes.length };
  };
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(tar)}`] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await put('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config))),
    layers: [await put('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  };
  const descriptor = await put(manifest.mediaType, Buffer.from(JSON.stringify(manifest)));
  const named = { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': 'v1' } };
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { manifest: descriptor.digest, layer: manifest.layers[0]!.digest };
}
