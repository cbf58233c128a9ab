import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore } from '../../store/index.ts';
import type { ServiceQuestion } from '../authorization.ts';
import type { KeyUser } from '../encryption.ts';
import type { AuthorizationRequest } from '../service.ts';
import { createKms, type Kms } from './index.ts';
import { ACCOUNT, context } from './test-kms.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const store = openMemoryStore();
const clock = createSystemClock();
const plaintext = new TextEncoder().encode('x');
const base = { service: 'sqs.amazonaws.com', account: ACCOUNT, region: 'us-east-1' };
let asked: (AuthorizationRequest | ServiceQuestion)[];
let allowed: boolean;
let kms: Kms;

beforeEach(() => {
  asked = [];
  allowed = true;
  kms = createKms({
    store,
    clock,
    random: createSeededRandom(),
    logger,
    delivery: {} as never,
    enforce: true,
    access: {
      allows: async (question) => {
        asked.push(question);
        return allowed;
      },
    },
    authorizer: {
      authorize: async (_principal, requests) => {
        asked.push(...requests);
        if (!allowed) throw new ServiceError('AccessDenied', 'User: ada is not authorized', { status: 403 });
      },
    },
  });
});
afterEach(() => kms.close());

const encrypt = (user: KeyUser) => kms.encryption.encrypt('alias/aws/sqs', plaintext, { queue: 'q' }, user);

describe('Keys used by other services when policies are enforced', () => {
  it('ask for the rights of the caller, who comes through the service', async () => {
    const { keyArn } = await encrypt({ ...base, principal: context.principal });
    const [question] = asked as AuthorizationRequest[];
    assert.equal(question!.action, 'kms:Encrypt');
    assert.equal(question!.resource, keyArn);
    assert.equal(question!.resourcePolicyDecides, true);
    assert.match(question!.resourcePolicy!, /auto-sqs-1/);
    const { conditions = {} } = question!;
    assert.deepEqual(conditions['kms:ViaService'], ['sqs.us-east-1.amazonaws.com']);
    assert.deepEqual(conditions['kms:CallerAccount'], [ACCOUNT]);
    assert.deepEqual(conditions['kms:EncryptionContext:queue'], ['q']);
    allowed = false;
    await assert.rejects(encrypt({ ...base, principal: context.principal }), {
      code: 'AccessDeniedException',
      message: 'User: ada is not authorized',
      status: 400,
    });
  });

  it('ask for the service, or the role it acts with, when nobody calls', async () => {
    const sourceArn = `arn:aws:sns:us-east-1:${ACCOUNT}:topic`;
    const caller = { service: 'sns.amazonaws.com', sourceArn, sourceAccount: ACCOUNT };
    await encrypt({ ...base, caller });
    const [question] = asked as ServiceQuestion[];
    assert.deepEqual(question!.caller, caller);
    assert.equal(question!.resourcePolicyDecides, true);
    assert.deepEqual(question!.conditions?.['kms:ViaService'], ['sqs.us-east-1.amazonaws.com']);
    allowed = false;
    const roleArn = `arn:aws:iam::${ACCOUNT}:role/r`;
    await assert.rejects(encrypt({ ...base, caller: { ...caller, roleArn } }), {
      code: 'AccessDeniedException',
      message: /^User: arn:aws:iam::\d+:role\/r is not authorized to perform: kms:Encrypt on resource: arn:aws:kms:/,
    });
  });

  it('ask about decryption and data keys under their own names', async () => {
    const user = { ...base, principal: context.principal };
    const { ciphertext } = await encrypt(user);
    await kms.encryption.decrypt(ciphertext, { queue: 'q' }, user);
    await kms.encryption.generateDataKey('alias/aws/sqs', {}, user);
    assert.deepEqual(
      asked.map(({ action }) => action),
      ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey'],
    );
  });
});
