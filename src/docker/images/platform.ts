import type { Platform } from '../../images/index.ts';
import { invalid } from '../shapes/shape.ts';

/** Other names of architectures, as `uname` has them. Source: containerd's platform names. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
};

/** `linux/arm64/v8`; `undefined` when it is empty. */
export function readPlatform(written: string): Platform | undefined {
  if (written === '') return undefined;
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
