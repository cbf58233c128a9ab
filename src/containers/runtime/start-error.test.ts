import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startError } from './start-error.ts';

describe('a command that cannot be started', () => {
  for (const [complaint, command, message, exitCode] of [
    // As runc 1.1 says it.
    ['exec: "nothing": executable file not found in $PATH', 'nothing', undefined, 127],
    ['exec: "/etc/passwd": permission denied', '/etc/passwd', undefined, 126],
    ['unable to find user nobody-knows: no matching entries in passwd file', 'true', undefined, 128],
    // As crun 1.8 says it.
    [
      'executable file `nothing` not found in $PATH: No such file or directory',
      'nothing',
      'exec: "nothing": executable file not found in $PATH',
      127,
    ],
    [
      'executable file `/no` not found: No such file or directory',
      '/no',
      'exec: "/no": no such file or directory',
      127,
    ],
    ['open executable: Operation not permitted', '/etc', 'exec: "/etc": permission denied', 126],
    ['open executable: Permission denied', '/etc/passwd', 'exec: "/etc/passwd": permission denied', 126],
    ['exec container process `/app`: Exec format error', '/app', 'exec: "/app": exec format error', 126],
  ] as const) {
    it(`${complaint}: ${exitCode}`, () => {
      const error = startError(complaint, command);
      assert.equal(error.message, message ?? complaint);
      assert.deepEqual([error.code, error.members], ['CannotStart', { exitCode }]);
    });
  }
});
