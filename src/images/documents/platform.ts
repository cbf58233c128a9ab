import { ServiceError } from '../../base/errors.ts';
import type { Descriptor, Index, Platform } from '../oci.ts';

/** Go's names of what Node calls differently. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mips: 'mips' };

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return normalized({ os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch });
}

/** `os/architecture[/variant]`, as users write it. Throws `InvalidPlatform`. */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9]+))?$/i.exec(text);
  if (!match) throw new ServiceError('InvalidPlatform', `not a platform: "${text}" (one is linux/amd64)`);
  const [, os, architecture, variant] = match;
  return normalized({ os: os!, architecture: architecture!, ...(variant && { variant }) });
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** One way to write each platform. Source: containerd's documentation of platforms, "Normalization". */
export function normalized({ os, architecture, variant = '' }: Platform): Platform {
  let arch = architecture.toLowerCase();
  let kind = variant.toLowerCase();
  if (arch === 'x86_64' || arch === 'x86-64') arch = 'amd64';
  if (arch === 'i386') arch = '386';
  if (arch === 'aarch64') arch = 'arm64';
  if (arch === 'armhf') [arch, kind] = ['arm', 'v7'];
  if (arch === 'armel') [arch, kind] = ['arm', 'v6'];
  if (arch === 'amd64' && kind === 'v1') kind = '';
  if (arch === 'arm64' && (kind === '8' || kind === 'v8')) kind = '';
  if (arch === 'arm' && kind === '') kind = 'v7';
  if (arch === 'arm' && /^[5-8]$/.test(kind)) kind = `v${kind}`;
  return { os: os.toLowerCase(), architecture: arch, ...(kind && { variant: kind }) };
}

/**
 * Platforms whose programs run on `wanted`, the best first: an arm/v7 runs v6 and v5, an arm64 runs arm as well, an amd64/v3
 * also v2. Source: containerd's documentation of platforms, "Comparing".
 */
function runnable(wanted: Platform): Platform[] {
  const { os, architecture, variant } = normalized(wanted);
  const list: Platform[] = [];
  const step = (arch: string, from: number, to: number) => {
    for (let i = from; i >= to; i--) list.push(normalized({ os, architecture: arch, variant: `v${i}` }));
  };
  const level = Number(variant?.slice(1)) || 0;
  if (architecture === 'amd64') step('amd64', level || 1, 1);
  else if (architecture === 'arm') step('arm', level || 7, 5);
  else if (architecture === 'arm64') {
    if (variant) list.push({ os, architecture, variant });
    list.push({ os, architecture });
    step('arm', 8, 5);
  } else list.push({ os, architecture, ...(variant && { variant }) });
  return list;
}

/** The image of an index for a platform. Throws `NoSuchManifest` when there is none for it. */
export function choosePlatform({ manifests }: Index, wanted: Platform): Descriptor {
  for (const candidate of runnable(wanted)) {
    const text = platformText(candidate);
    const found = manifests.find(({ platform }) => platform && platformText(normalized(platform)) === text);
    if (found) return found;
  }
  // Some tools write an index of a single image without saying what it is for.
  const unnamed = manifests.filter(({ platform }) => !platform);
  if (manifests.length === 1 && unnamed.length === 1) return unnamed[0]!;
  const text = platformText(normalized(wanted));
  throw new ServiceError(
    'NoSuchManifest',
    `no matching manifest for ${text} in the manifest list entries: no match for platform in manifest: not found`,
    { status: 404 },
  );
}

/** Whether an image's programs run on a platform. */
export function runsOn(image: Platform, wanted: Platform): boolean {
  const text = platformText(normalized(image));
  return runnable(wanted).some((candidate) => platformText(candidate) === text);
}
