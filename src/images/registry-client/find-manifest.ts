import { ServiceError } from '../../base/errors.ts';
import { checkImage, type ParsedManifest, parseManifest } from '../documents/parse-manifest.ts';
import { choosePlatform } from '../documents/platform.ts';
import type { TransferOptions } from '../images.ts';
import type { Descriptor, Manifest, Platform } from '../oci.ts';
import type { Reference } from '../references/reference.ts';
import type { Registries } from './registries.ts';
import type { FetchedManifest, RegistryClient } from './registry-client.ts';
import { transferError } from './registry-errors.ts';

/** A manifest behind a reference, and the repository that has it. */
export interface FoundManifest {
  readonly client: RegistryClient;
  readonly fetched: FetchedManifest;
  readonly parsed: ParsedManifest;
}

/** Asks mirrors and then the registry itself for what a reference names. */
export async function findManifest(
  registries: Registries,
  reference: Reference,
  options: Pick<TransferOptions, 'auth' | 'signal'>,
): Promise<FoundManifest> {
  const wanted = reference.digest ?? reference.tag!;
  for (const mirror of registries.mirrorsOf(reference)) {
    try {
      // Credentials are for the registry that the user has named.
      const client = await registries.open(reference, mirror, 'pull', { signal: options.signal });
      const fetched = await client.manifest(wanted);
      return { client, fetched, parsed: parseManifest(fetched.bytes, fetched.mediaType) };
    } catch (error) {
      if (options.signal?.aborted) throw error;
      // The next one may have it.
    }
  }
  try {
    const client = await registries.open(reference, reference.domain, 'pull', options);
    const fetched = await client.manifest(wanted);
    return { client, fetched, parsed: parseManifest(fetched.bytes, fetched.mediaType) };
  } catch (error) {
    throw transferError(error, reference);
  }
}

/** The manifest of the image for a platform. */
export async function imageManifest(
  { client, fetched, parsed }: FoundManifest,
  platform: Platform,
): Promise<{ readonly manifest: Manifest; readonly descriptor: Descriptor; readonly bytes: Uint8Array }> {
  if (parsed.kind === 'image') {
    checkImage(parsed.manifest);
    const descriptor = { mediaType: parsed.mediaType, digest: fetched.digest, size: fetched.bytes.length };
    return { manifest: parsed.manifest, descriptor, bytes: fetched.bytes };
  }
  const chosen = choosePlatform(parsed.index, platform);
  const inner = await client.manifest(chosen.digest);
  if (inner.bytes.length !== chosen.size) {
    throw new ServiceError('InvalidManifest', `the manifest ${chosen.digest} has not the size that its index tells`);
  }
  const image = parseManifest(inner.bytes, inner.mediaType);
  if (image.kind !== 'image') {
    throw new ServiceError('InvalidManifest', `the index names another index for the platform: ${chosen.digest}`);
  }
  checkImage(image.manifest);
  const descriptor = { mediaType: image.mediaType, digest: inner.digest, size: inner.bytes.length };
  return { manifest: image.manifest, descriptor, bytes: inner.bytes };
}
