import { ServiceError } from '../../base/errors.ts';
import type { Platform } from '../../images/index.ts';
import { invalid, object, text } from '../shapes/shape.ts';

/** Other names of architectures, as `uname` has them. Source: containerd's platform names. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
};

const platformObject = object(
  { os: text, architecture: text, variant: text },
  { passed: ['os.version', 'os.features'] },
);

/** `linux/arm64/v8`, or the same as JSON, as newer clients write it; `undefined` when it is empty. */
export function readPlatform(written: string): Platform | undefined {
  if (written === '') return undefined;
  if (written.startsWith('{')) {
    const { os, architecture, variant } = platformObject(parse(written), 'platform');
    return readPlatform([os, architecture, variant].filter((part) => part !== '').join('/'));
  }
  const parts = written.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[\w.-]+$/.test(part))) {
    throw invalid(`"${written.slice(0, 60)}": invalid platform: it is os/architecture/variant`);
  }
  const [os = '', architecture, variant] = parts.length === 1 && parts[0] !== 'linux' ? ['linux', parts[0]] : parts;
  const named = architecture ?? MACHINE;
  return { os, architecture: ARCHITECTURES[named] ?? named, ...(variant === undefined ? {} : { variant }) };
}

const MACHINE = process.arch === 'x64' ? 'amd64' : process.arch;

/** 64-bit ARM has only one variant, which may go unsaid. */
export function samePlatform(wanted: Platform, has: Platform): boolean {
  const variant = ({ architecture, variant: own }: Platform) => own ?? (architecture === 'arm64' ? 'v8' : undefined);
  return (
    wanted.os === has.os &&
    wanted.architecture === has.architecture &&
    (wanted.variant === undefined || variant(wanted) === variant(has))
  );
}

function parse(written: string): unknown {
  try {
    return JSON.parse(written) as unknown;
  } catch {
    throw invalid('invalid JSON in parameter platform');
  }
}

/** An image here is of one platform: another one that is asked for is not there. */
export function checkPlatform(written: string, reference: string, has: Platform): void {
  const wanted = readPlatform(written);
  if (wanted === undefined || samePlatform(wanted, has)) return;
  throw new ServiceError(
    'ImageNotFound',
    `image with reference ${reference} was found but does not provide the specified platform (${written.slice(0, 100)})`,
    { status: 404 },
  );
}
