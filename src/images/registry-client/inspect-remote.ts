import { MAX_CONFIG_SIZE, parseConfig } from '../documents/parse-config.ts';
import { hostPlatform } from '../documents/platform.ts';
import type { TransferOptions } from '../images.ts';
import type { Descriptor, Platform } from '../oci.ts';
import { parseReference, withDefaultTag } from '../references/reference.ts';
import { findManifest, imageManifest } from './find-manifest.ts';
import { readBody } from './http-connection.ts';
import type { Registries } from './registries.ts';

/** What is behind a reference at its registry: the manifest or index, and the platforms that it is for. */
export async function inspectRemote(
  registries: Registries,
  text: string,
  options: TransferOptions,
): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }> {
  const found = await findManifest(registries, withDefaultTag(parseReference(text)), options);
  const { fetched, parsed, client } = found;
  const descriptor = { mediaType: parsed.mediaType, digest: fetched.digest, size: fetched.bytes.length };
  if (parsed.kind === 'index') {
    return { descriptor, platforms: parsed.index.manifests.flatMap(({ platform }) => (platform ? [platform] : [])) };
  }
  const { manifest } = await imageManifest(found, hostPlatform());
  const { body } = await client.openBlob(manifest.config.digest, 0);
  const { architecture, os, variant } = parseConfig(await readBody(body, MAX_CONFIG_SIZE));
  return { descriptor, platforms: [{ architecture, os, ...(variant !== undefined && { variant }) }] };
}
