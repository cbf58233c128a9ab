// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written this way
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../../../base/system-random.ts';
import { compilePolicy, type PolicyPrincipal } from './compiled-policy.ts';
import { contextOf } from './context.ts';
import { type EvaluationInput, evaluate } from './evaluate.ts';
import { compileWildcard, matchWildcard } from './wildcard.ts';

const USER: PolicyPrincipal = { account: '111111111111', arn: 'arn:aws:iam::111111111111:user/bob', userId: 'AIDABOB' };
const SESSION: PolicyPrincipal = {
  account: '111111111111',
  arn: 'arn:aws:sts::111111111111:assumed-role/worker/s1',
  roleArn: 'arn:aws:iam::111111111111:role/worker',
  userId: 'AROAWORKER:s1',
};

const document = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const named = (text: string, kind: 'identity' | 'resource' | 'trust' = 'identity') => ({
  id: kind,
  policy: compilePolicy(text, kind),
});
const allow = (extra: object = {}): object => ({ Effect: 'Allow', Action: 's3:GetObject', Resource: '*', ...extra });
const deny = (extra: object = {}): object => ({ Effect: 'Deny', Action: 's3:GetObject', Resource: '*', ...extra });

function decide(parts: Partial<EvaluationInput>): string {
  const { decision, source } = evaluate({
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::bucket/key',
    context: contextOf({}),
    principal: USER,
    isRoot: false,
    identity: [],
    resourceAccount: '111111111111',
    ...parts,
  });
  return source ? `${decision} ${source}` : decision;
}

const NO_IDENTITY = 'implicitDeny identity-based policy';

describe('IAM policy evaluation within an account', () => {
  it('denies what nothing allows, and allows the root user', () => {
    assert.equal(decide({}), NO_IDENTITY);
    assert.equal(decide({ isRoot: true }), 'allowed');
  });

  it('adds identity and resource policies up', () => {
    const forBob = named(document(allow({ Principal: { AWS: USER.arn } })), 'resource');
    assert.equal(decide({ identity: [named(document(allow()))] }), 'allowed');
    assert.equal(decide({ resourcePolicy: forBob }), 'allowed');
    assert.equal(
      decide({
        resourcePolicy: forBob,
        principal: { ...USER, arn: 'arn:aws:iam::111111111111:user/eve', userId: 'AIDAEVE' },
      }),
      NO_IDENTITY,
    );
  });

  it('takes a resource policy for the account as leave to give permission, not as permission', () => {
    for (const AWS of ['111111111111', 'arn:aws:iam::111111111111:root']) {
      const resourcePolicy = named(document(allow({ Principal: { AWS } })), 'resource');
      assert.equal(decide({ resourcePolicy }), NO_IDENTITY);
      assert.equal(decide({ resourcePolicy, identity: [named(document(allow()))] }), 'allowed');
    }
  });

  it('lets an explicit deny win wherever it stands', () => {
    const identity = [named(document(allow()))];
    const limits = named(document(allow(), deny()));
    assert.equal(decide({ identity: [...identity, named(document(deny()))] }), 'explicitDeny identity-based policy');
    assert.equal(decide({ identity, boundary: limits }), 'explicitDeny permissions boundary');
    assert.equal(decide({ identity, session: limits }), 'explicitDeny session policy');
    const resourcePolicy = named(document(deny({ Principal: '*' })), 'resource');
    assert.equal(decide({ identity, resourcePolicy }), 'explicitDeny resource-based policy');
    assert.equal(decide({ isRoot: true, resourcePolicy }), 'explicitDeny resource-based policy');
  });

  it('limits identity policies by boundary and session policy', () => {
    const identity = [named(document(allow()))];
    const other = named(document(allow({ Action: 's3:ListBucket' })));
    assert.equal(decide({ identity, boundary: other }), 'implicitDeny permissions boundary');
    assert.equal(decide({ identity, session: other }), 'implicitDeny session policy');
    assert.equal(
      decide({ identity, boundary: named(document(allow())), session: named(document(allow())) }),
      'allowed',
    );
    assert.equal(decide({ boundary: named(document(allow())) }), NO_IDENTITY);
  });

  it('lets a resource policy that names the user or session itself pass those limits, but not one that names the role', () => {
    const other = named(document(allow({ Action: 's3:ListBucket' })));
    const names = (AWS: string) => named(document(allow({ Principal: { AWS } })), 'resource');
    assert.equal(decide({ boundary: other, resourcePolicy: names(USER.arn) }), 'allowed');
    assert.equal(decide({ principal: SESSION, session: other, resourcePolicy: names(SESSION.arn) }), 'allowed');
    assert.equal(
      decide({ principal: SESSION, session: other, resourcePolicy: names(SESSION.roleArn!) }),
      'implicitDeny session policy',
    );
    assert.equal(decide({ principal: SESSION, resourcePolicy: names(SESSION.roleArn!) }), 'allowed');
  });
});

describe('IAM policy evaluation across accounts', () => {
  const foreign = { resourceAccount: '222222222222' };
  const mine = [named(document(allow()))];

  it('needs both sides', () => {
    const theirs = named(document(allow({ Principal: { AWS: '111111111111' } })), 'resource');
    assert.equal(decide({ ...foreign, identity: mine }), 'implicitDeny resource-based policy');
    assert.equal(decide({ ...foreign, resourcePolicy: theirs }), NO_IDENTITY);
    assert.equal(decide({ ...foreign, identity: mine, resourcePolicy: theirs }), 'allowed');
    assert.equal(decide({ ...foreign, isRoot: true, resourcePolicy: theirs }), 'allowed');
    assert.equal(decide({ ...foreign, isRoot: true }), 'implicitDeny resource-based policy');
  });

  it('gives services and anonymous requests only what the resource gives', () => {
    const service: PolicyPrincipal = { account: undefined, arn: 's3', service: 's3.amazonaws.com' };
    const anonymous: PolicyPrincipal = { account: undefined, arn: '*' };
    const forS3 = named(document(allow({ Principal: { Service: 's3.amazonaws.com' } })), 'resource');
    const everyone = named(document(allow({ Principal: '*' })), 'resource');
    assert.equal(decide({ principal: service, resourcePolicy: forS3 }), 'allowed');
    assert.equal(decide({ principal: anonymous, resourcePolicy: forS3 }), 'implicitDeny resource-based policy');
    assert.equal(decide({ principal: anonymous, resourcePolicy: everyone }), 'allowed');
    assert.equal(decide({ principal: anonymous, identity: mine }), 'implicitDeny resource-based policy');
  });
});

describe('IAM role trust', () => {
  const trust = (statement: object) =>
    named(document({ Effect: 'Allow', Action: 'sts:AssumeRole', ...statement }), 'trust');
  const assume = (parts: Partial<EvaluationInput>): string =>
    decide({
      action: 'sts:AssumeRole',
      resource: 'arn:aws:iam::111111111111:role/x',
      resourcePolicyDecides: true,
      ...parts,
    });
  const mayAssume = [named(document({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }))];

  it('must allow, whatever the caller may', () => {
    assert.equal(assume({ identity: mayAssume }), 'implicitDeny resource-based policy');
    assert.equal(assume({ isRoot: true }), 'implicitDeny resource-based policy');
    assert.equal(
      assume({ identity: mayAssume, resourcePolicy: trust({ Principal: { Service: 'lambda.amazonaws.com' } }) }),
      'implicitDeny resource-based policy',
    );
  });

  it('is enough when it names the caller, and needs permission too when it names the account', () => {
    assert.equal(assume({ resourcePolicy: trust({ Principal: { AWS: USER.arn } }) }), 'allowed');
    const account = trust({ Principal: { AWS: 'arn:aws:iam::111111111111:root' } });
    assert.equal(assume({ resourcePolicy: account }), NO_IDENTITY);
    assert.equal(assume({ resourcePolicy: account, identity: mayAssume }), 'allowed');
  });

  it('asks for the external id', () => {
    const resourcePolicy = trust({
      Principal: { AWS: USER.arn },
      Condition: { StringEquals: { 'sts:ExternalId': 'abc' } },
    });
    assert.equal(assume({ resourcePolicy }), 'implicitDeny resource-based policy');
    assert.equal(assume({ resourcePolicy, context: contextOf({ 'sts:ExternalId': ['abc'] }) }), 'allowed');
  });
});

describe('IAM policy elements', () => {
  const decideOn = (statement: object, question: Partial<EvaluationInput> = {}): boolean =>
    decide({
      identity: [named(document({ Effect: 'Allow', Action: '*', Resource: '*', ...statement }))],
      ...question,
    }) === 'allowed';

  it('matches actions without regard to case, with wildcards', () => {
    for (const Action of ['*', 's3:*', 's3:Get*', 'S3:getobject', 's3:G?tObject', ['sqs:*', 's3:GetObject']]) {
      assert.equal(decideOn({ Action }), true, String(Action));
    }
    for (const Action of ['s3:GetObjectAcl', 's3:Get', 'sqs:*', 's3:?'])
      assert.equal(decideOn({ Action }), false, String(Action));
  });

  it('matches resources part by part', () => {
    const rows: [string | string[], boolean][] = [
      ['arn:aws:s3:::bucket/*', true],
      ['arn:aws:s3:::bucket/k?y', true],
      ['arn:aws:s3:::*', true],
      ['arn:*:s3:::bucket/key', true],
      ['arn:aws:s3:::bucket', false],
      ['arn:aws:s3:::Bucket/*', false],
      ['arn:aws:*:::bucket/key', true],
      ['arn:aws:sqs:*:*:*', false],
      [['arn:aws:s3:::other/*', 'arn:aws:s3:::bucket/key'], true],
    ];
    for (const [Resource, expected] of rows) assert.equal(decideOn({ Resource }), expected, String(Resource));
    assert.equal(decideOn({ Resource: 'arn:aws:s3:*:1:x' }, { resource: 'arn:aws:s3:eu:1:x' }), true);
    // A wildcard does not reach over the colons of an ARN's first parts.
    assert.equal(decideOn({ Resource: 'arn:aws:s3:*:*:x' }, { resource: 'arn:aws:s3:::y:x' }), false);
  });

  it('takes NotAction, NotResource and NotPrincipal as all but these', () => {
    assert.equal(decideOn({ Action: undefined, NotAction: 'iam:*' }), true);
    assert.equal(decideOn({ Action: undefined, NotAction: 's3:*' }), false);
    assert.equal(decideOn({ Resource: undefined, NotResource: 'arn:aws:s3:::bucket/*' }), false);
    assert.equal(decideOn({ Resource: undefined, NotResource: 'arn:aws:s3:::other/*' }), true);
    const notBob = named(document(deny({ NotPrincipal: { AWS: [USER.arn, '111111111111'] } })), 'resource');
    assert.equal(decide({ identity: [named(document(allow()))], resourcePolicy: notBob }), 'allowed');
    assert.equal(
      decide({ identity: [named(document(allow()))], resourcePolicy: notBob, principal: SESSION }),
      'explicitDeny resource-based policy',
    );
  });

  it('fills in policy variables, whose values are no wildcards', () => {
    const Resource = 'arn:aws:s3:::bucket/${aws:username}/*';
    const ask = (name: string | undefined, key: string): boolean =>
      decideOn(
        { Resource },
        {
          resource: `arn:aws:s3:::bucket/${key}`,
          context: contextOf(name === undefined ? {} : { 'aws:username': [name] }),
        },
      );
    assert.equal(ask('bob', 'bob/x'), true);
    assert.equal(ask('bob', 'eve/x'), false);
    assert.equal(ask('*', 'eve/x'), false);
    assert.equal(ask(undefined, 'bob/x'), false);
    assert.equal(
      decideOn(
        { Resource: "arn:aws:s3:::bucket/${aws:username, 'guest'}/*" },
        { resource: 'arn:aws:s3:::bucket/guest/x' },
      ),
      true,
    );
    assert.equal(decideOn({ Resource: 'arn:aws:s3:::bucket/${*}' }, { resource: 'arn:aws:s3:::bucket/*' }), true);
    assert.equal(decideOn({ Resource: 'arn:aws:s3:::bucket/${*}' }, { resource: 'arn:aws:s3:::bucket/x' }), false);
  });

  it('leaves variables alone in documents of the old version', () => {
    const old = JSON.stringify({
      Version: '2008-10-17',
      Statement: [allow({ Resource: 'arn:aws:s3:::bucket/${aws:username}' })],
    });
    const context = contextOf({ 'aws:username': ['bob'] });
    assert.equal(decide({ identity: [named(old)], resource: 'arn:aws:s3:::bucket/bob', context }), NO_IDENTITY);
  });
});

describe('IAM conditions', () => {
  /** Operator, policy values, request values (undefined: key not there), holds. */
  const rows: [string, string | string[], string[] | undefined, boolean][] = [
    ['StringEquals', 'a', ['a'], true],
    ['StringEquals', 'a', ['A'], false],
    ['StringEquals', ['a', 'b'], ['b'], true],
    ['StringEquals', 'a', undefined, false],
    ['StringEqualsIfExists', 'a', undefined, true],
    ['StringEqualsIfExists', 'a', ['b'], false],
    ['StringNotEquals', 'a', ['b'], true],
    ['StringNotEquals', ['a', 'b'], ['b'], false],
    ['StringNotEquals', 'a', undefined, true],
    ['StringEqualsIgnoreCase', 'aB', ['Ab'], true],
    ['StringNotEqualsIgnoreCase', 'aB', ['Ab'], false],
    ['StringLike', 'ho*/', ['home/'], true],
    ['StringLike', '?ome', ['home'], true],
    ['StringLike', 'Home*', ['home'], false],
    ['StringNotLike', 'ho*', ['home'], false],
    ['NumericEquals', '10', ['10.0'], true],
    ['NumericNotEquals', '10', ['11'], true],
    ['NumericLessThan', '10', ['9'], true],
    ['NumericLessThan', '10', ['10'], false],
    ['NumericLessThanEquals', '10', ['10'], true],
    ['NumericGreaterThan', '10', ['11'], true],
    ['NumericGreaterThanEquals', '10', ['9'], false],
    ['NumericLessThan', '10', ['x'], false],
    ['DateGreaterThan', '2024-01-01T00:00:00Z', ['2024-06-01T00:00:00Z'], true],
    ['DateLessThan', '2024-01-01', ['2023-12-31T23:59:59Z'], true],
    ['DateLessThanEquals', '1704067200', ['2024-01-01T00:00:00Z'], true],
    ['DateEquals', '2024-01-01T01:00:00+01:00', ['2024-01-01T00:00:00Z'], true],
    ['DateNotEquals', '2024-01-01', ['2024-01-02'], true],
    ['DateGreaterThanEquals', '2024-01-01', ['2023-01-01'], false],
    ['Bool', 'true', ['true'], true],
    ['Bool', 'false', ['true'], false],
    ['Bool', 'true', undefined, false],
    ['BoolIfExists', 'true', undefined, true],
    ['BinaryEquals', 'QmluYXJ5', ['QmluYXJ5'], true],
    ['BinaryEquals', 'QmluYXJ5', ['AAAA'], false],
    ['IpAddress', '203.0.113.0/24', ['203.0.113.9'], true],
    ['IpAddress', '203.0.113.0/24', ['203.0.114.9'], false],
    ['IpAddress', ['10.0.0.0/8', '192.168.0.1'], ['192.168.0.1'], true],
    ['IpAddress', '2001:db8::/32', ['2001:db8::1'], true],
    ['IpAddress', 'nonsense', ['10.0.0.1'], false],
    ['NotIpAddress', '10.0.0.0/8', ['10.1.2.3'], false],
    ['NotIpAddress', '10.0.0.0/8', ['11.1.2.3'], true],
    ['ArnLike', 'arn:aws:s3:::bucket*', ['arn:aws:s3:::bucket1'], true],
    ['ArnEquals', 'arn:aws:sns:*:1:t', ['arn:aws:sns:eu:1:t'], true],
    ['ArnLike', 'arn:aws:sns:*:t', ['arn:aws:sns:eu:1:t'], false],
    ['ArnNotLike', 'arn:aws:s3:::b*', ['arn:aws:s3:::c'], true],
    ['ArnNotEquals', 'arn:aws:s3:::b', ['arn:aws:s3:::b'], false],
    ['Null', 'true', undefined, true],
    ['Null', 'true', ['x'], false],
    ['Null', 'false', ['x'], true],
    ['Null', 'false', undefined, false],
    ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'b'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'c'], false],
    ['ForAllValues:StringEquals', ['a'], undefined, true],
    ['ForAllValues:StringLike', 'a*', ['a1', 'a2'], true],
    ['ForAnyValue:StringEquals', ['a', 'b'], ['c', 'b'], true],
    ['ForAnyValue:StringEquals', ['a'], ['c'], false],
    ['ForAnyValue:StringEquals', ['a'], undefined, false],
    ['ForAnyValue:StringNotEquals', ['a'], ['a', 'b'], true],
    ['ForAllValues:StringNotEquals', ['a'], ['a', 'b'], false],
    ['stringequals', 'a', ['a'], true],
  ];
  for (const [operator, wanted, actual, expected] of rows) {
    it(`${operator} ${JSON.stringify(wanted)} on ${JSON.stringify(actual)} is ${expected}`, () => {
      const statement = allow({ Condition: { [operator]: { 'test:Key': wanted } } });
      const context = contextOf(actual === undefined ? {} : { 'TEST:key': actual });
      assert.equal(decide({ identity: [named(document(statement))], context }) === 'allowed', expected);
    });
  }

  it('must all hold', () => {
    const statement = allow({ Condition: { StringEquals: { 'a:b': 'x', 'a:c': 'y' }, Bool: { 'a:d': 'true' } } });
    const ask = (values: Record<string, string[]>) =>
      decide({ identity: [named(document(statement))], context: contextOf(values) });
    assert.equal(ask({ 'a:b': ['x'], 'a:c': ['y'], 'a:d': ['true'] }), 'allowed');
    assert.equal(ask({ 'a:b': ['x'], 'a:c': ['z'], 'a:d': ['true'] }), NO_IDENTITY);
  });

  it('may compare with a policy variable', () => {
    const statement = allow({ Condition: { StringEquals: { 'a:owner': '${aws:username}' } } });
    const ask = (owner: string) =>
      decide({
        identity: [named(document(statement))],
        context: contextOf({ 'a:owner': [owner], 'aws:username': ['bob'] }),
      });
    assert.equal(ask('bob'), 'allowed');
    assert.equal(ask('eve'), NO_IDENTITY);
  });
});

describe('IAM policy documents', () => {
  const refused: [string, string, 'identity' | 'resource' | 'trust'][] = [
    ['no JSON', '{', 'identity'],
    ['a list', '[]', 'identity'],
    ['no statement', '{"Version":"2012-10-17"}', 'identity'],
    ['an unknown version', '{"Version":"2020-01-01","Statement":[]}', 'identity'],
    ['an unknown element', document(allow({ Actions: 's3:*' })), 'identity'],
    ['an unknown element at the top', '{"Version":"2012-10-17","Statement":[],"X":1}', 'identity'],
    ['an unknown effect', document(allow({ Effect: 'Maybe' })), 'identity'],
    ['no effect', document(allow({ Effect: undefined })), 'identity'],
    ['no action', document(allow({ Action: undefined })), 'identity'],
    ['action and NotAction', document(allow({ NotAction: 's3:*' })), 'identity'],
    ['an action without service', document(allow({ Action: 'GetObject' })), 'identity'],
    ['no resource', document(allow({ Resource: undefined })), 'identity'],
    ['a resource that is no ARN', document(allow({ Resource: 'bucket' })), 'identity'],
    ['a principal in an identity policy', document(allow({ Principal: '*' })), 'identity'],
    ['no principal in a resource policy', document(allow()), 'resource'],
    ['an unknown kind of principal', document(allow({ Principal: { Robot: 'x' } })), 'resource'],
    ['a principal that is no ARN', document(allow({ Principal: { AWS: 'bob' } })), 'resource'],
    ['an unknown condition operator', document(allow({ Condition: { StringIs: { 'a:b': 'c' } } })), 'identity'],
    ['a condition key without service', document(allow({ Condition: { StringEquals: { b: 'c' } } })), 'identity'],
    ['two statements with one id', document(allow({ Sid: 'a' }), allow({ Sid: 'a' })), 'identity'],
    ['a resource in a trust policy', document(allow({ Action: 'sts:AssumeRole', Principal: '*' })), 'trust'],
  ];
  for (const [what, text, kind] of refused) {
    it(`are refused with ${what}`, () => {
      assert.throws(() => compilePolicy(text, kind), { code: 'MalformedPolicyDocument' });
    });
  }

  it('are parsed or refused, whatever the text', () => {
    const random = createSeededRandom(5);
    const base = document(allow({ Principal: { AWS: '*' }, Condition: { StringLike: { 'a:b': 'c*' } } }));
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const at = Math.floor(random.fraction() * base.length);
      const text =
        base.slice(0, at) +
        random.from('{}[]":,*?$sA1', Math.floor(random.fraction() * 3)) +
        base.slice(at + Math.floor(random.fraction() * 3));
      try {
        compilePolicy(text, 'resource').match({
          action: 's3:GetObject',
          resource: 'arn:aws:s3:::b/k',
          context: contextOf({}),
          principal: USER,
        });
        accepted++;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'MalformedPolicyDocument', text);
      }
    }
    assert.ok(accepted > 500);
  });
});

describe('IAM wildcards', () => {
  it('match as a regular expression would', () => {
    const random = createSeededRandom(11);
    for (let round = 0; round < 20_000; round++) {
      const pattern = random.from('ab*?', Math.floor(random.fraction() * 7));
      const text = random.from('ab', Math.floor(random.fraction() * 7));
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
      assert.equal(compileWildcard(pattern)(text), expected, `${pattern} on ${text}`);
    }
  });

  it('take no exponential time', () => {
    assert.equal(matchWildcard(`${'*a'.repeat(200)}b`, 'a'.repeat(5000)), false);
  });
});
