import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isOffMachine } from './addresses.ts';

describe('Addresses off this machine', () => {
  it('are not its loopback, its link or groups, however they are written', () => {
    for (const address of [
      '127.0.0.1',
      '0.0.0.0',
      '169.254.169.254',
      '224.0.0.1',
      '::',
      '::1',
      'fe80::1',
      'ff02::1',
      'fd00:ec2::254',
    ]) {
      assert.equal(isOffMachine(address), false, address);
    }
    for (const mapped of ['::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:7F00:0001', '::ffff:a9fe:a9fe', '::ffff:0:0']) {
      assert.equal(isOffMachine(mapped), false, mapped);
    }
  });

  it('are those of other machines', () => {
    for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', '::ffff:c000:201']) {
      assert.equal(isOffMachine(address), true, address);
    }
    assert.equal(isOffMachine('no address'), false);
  });
});
