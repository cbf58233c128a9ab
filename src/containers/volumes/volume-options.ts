import { invalid } from '../errors.ts';

/** A volume that is mounted from somewhere else whenever a container uses it. Source: `docker volume create --opt`. */
export interface VolumeMount {
  readonly type: string;
  readonly device: string;
  readonly options: readonly string[];
}

/** Reads a local volume's options; `undefined`: a plain directory. Refuses by name what is not supported. */
export function volumeMount(options: Readonly<Record<string, string>>): VolumeMount | undefined {
  const unknown = Object.keys(options).find((name) => !['type', 'device', 'o'].includes(name));
  if (unknown !== undefined) throw invalid(`invalid option: "${unknown}"; the local driver knows type, device and o`);
  const { type = '', device = '', o = '' } = options;
  if (type === '' && device === '' && o === '') return undefined;
  const words = o.split(',').filter(Boolean);
  if (type === 'tmpfs') {
    for (const word of words) if (!TMPFS_OPTION.test(word)) throw invalid(`tmpfs option "${word}" is not supported`);
    return { type: 'tmpfs', device: 'tmpfs', options: words };
  }
  const isBind = words.includes('bind') || words.includes('rbind');
  if ((type === 'none' || type === '') && isBind) {
    if (!device.startsWith('/')) throw invalid('a bind volume needs an absolute path as device');
    const other = words.find((word) => !['bind', 'rbind', 'ro', 'rw'].includes(word));
    if (other !== undefined) throw invalid(`volume option "o=${other}" is not supported with bind`);
    return { type: 'bind', device, options: words };
  }
  throw invalid(`volume type "${type}" is not supported: tmpfs, and none with o=bind, are`);
}

const TMPFS_OPTION =
  /^(size=\d+[kmg%]?|mode=[0-7]+|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|nr_blocks=\d+[kmg]?|ro|rw|noexec|exec|nosuid|suid|nodev|dev|noatime|relatime)$/i;
