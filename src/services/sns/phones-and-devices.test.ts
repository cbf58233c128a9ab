import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ACCOUNT, as, OTHER, QUEUE, TestSns } from './test-sns.ts';

let test: TestSns;
beforeEach(async () => {
  test = new TestSns();
  await test.start();
});
afterEach(() => test.close());

const PHONE = '+4915112345678';

describe('SNS text messages', () => {
  it('to a phone go into the outbox, with the settings of the account', async () => {
    await test.call('SetSMSAttributes', { attributes: { DefaultSenderID: 'Shop', DefaultSMSType: 'Transactional' } });
    const { MessageId } = await test.call('Publish', { PhoneNumber: PHONE, Message: 'code 1' });
    const attribute = (StringValue: string) => ({ DataType: 'String', StringValue });
    await test.call('Publish', {
      PhoneNumber: PHONE,
      Message: 'code 2',
      MessageAttributes: {
        'AWS.SNS.SMS.SenderID': attribute('Bank'),
        'AWS.SNS.SMS.SMSType': attribute('Promotional'),
      },
    });
    const [first, second] = await test.outbox();
    assert.deepEqual(first, {
      id: 1,
      account: ACCOUNT,
      region: 'us-east-1',
      kind: 'sms',
      to: PHONE,
      body: 'code 1',
      from: 'Shop',
      messageId: MessageId,
      time: test.clock.now(),
      options: { 'AWS.SNS.SMS.SMSType': 'Transactional' },
    });
    assert.equal(second!.from, 'Bank');
    assert.equal(second!.options!['AWS.SNS.SMS.SMSType'], 'Promotional');
    assert.deepEqual((await test.call('GetSMSAttributes', { attributes: ['DefaultSMSType'] })).attributes, {
      DefaultSMSType: 'Transactional',
    });
  });

  it('are refused for what is no phone number, and when they are too long', async () => {
    await assert.rejects(test.call('Publish', { PhoneNumber: '+1', Message: 'm' }), {
      message: 'Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to',
    });
    await assert.rejects(test.call('Publish', { PhoneNumber: PHONE, Message: 'x'.repeat(1601) }), {
      message: 'Invalid parameter: Message too long',
    });
  });

  it('of a topic begin with its display name', async () => {
    await test.call('SetSMSAttributes', { attributes: { DefaultSenderID: 'Shop' } });
    const topic = await test.topic('t', { DisplayName: 'Notifications' });
    await test.subscribe(topic, 'sms', PHONE);
    await test.publish(topic, 'hello');
    const [sms] = await test.outbox();
    assert.deepEqual([sms!.body, sms!.topicArn, sms!.from], ['Notificati> hello', topic, 'Shop']);
  });

  it('have settings that are checked', async () => {
    const set = (attributes: object) => test.call('SetSMSAttributes', { attributes });
    await assert.rejects(set({ DefaultSMSType: 'Spam' }), { message: 'Invalid parameter: DefaultSMSType' });
    await assert.rejects(set({ DefaultSenderID: '123' }), { code: 'InvalidParameter' });
    await assert.rejects(set({ UsageReportS3Bucket: 'b' }), { code: 'NotImplemented' });
    await assert.rejects(set({ Nonsense: '1' }), { code: 'InvalidParameter' });
  });

  it('reach everybody: no phone is opted out, the account is in no sandbox', async () => {
    assert.deepEqual(await test.call('CheckIfPhoneNumberIsOptedOut', { phoneNumber: PHONE }), { isOptedOut: false });
    assert.deepEqual(await test.call('ListPhoneNumbersOptedOut'), { phoneNumbers: [] });
    assert.deepEqual(await test.call('OptInPhoneNumber', { phoneNumber: PHONE }), {});
    assert.deepEqual(await test.call('ListOriginationNumbers'), { PhoneNumbers: [] });
    assert.deepEqual(await test.call('GetSMSSandboxAccountStatus'), { IsInSandbox: false });
    await assert.rejects(test.call('CheckIfPhoneNumberIsOptedOut', { phoneNumber: 'x' }), { code: 'InvalidParameter' });
  });

  it('verify a number by a one-time password', async () => {
    await test.call('CreateSMSSandboxPhoneNumber', { PhoneNumber: PHONE });
    const list = async () => (await test.call('ListSMSSandboxPhoneNumbers')).PhoneNumbers;
    assert.deepEqual(await list(), [{ PhoneNumber: PHONE, Status: 'Pending' }]);
    const [sms] = await test.outbox();
    const OneTimePassword = /\d{6}$/.exec(sms!.body)![0];
    const wrong = OneTimePassword === '000000' ? '111111' : '000000';
    await assert.rejects(test.call('VerifySMSSandboxPhoneNumber', { PhoneNumber: PHONE, OneTimePassword: wrong }), {
      code: 'VerificationException',
    });
    await test.call('VerifySMSSandboxPhoneNumber', { PhoneNumber: PHONE, OneTimePassword });
    assert.deepEqual(await list(), [{ PhoneNumber: PHONE, Status: 'Verified' }]);
    await test.call('DeleteSMSSandboxPhoneNumber', { PhoneNumber: PHONE });
    assert.deepEqual(await list(), []);
    await assert.rejects(test.call('DeleteSMSSandboxPhoneNumber', { PhoneNumber: PHONE }), {
      code: 'ResourceNotFound',
    });
  });
});

describe('SNS mobile devices', () => {
  const application = async (Platform = 'GCM', Attributes: object = {}) => {
    const secrets = { PlatformCredential: 'key', ...(Platform === 'GCM' ? {} : { PlatformPrincipal: 'cert' }) };
    const input = { Name: 'app', Platform, Attributes: { ...secrets, ...Attributes } };
    return (await test.call('CreatePlatformApplication', input)).PlatformApplicationArn;
  };
  const device = async (PlatformApplicationArn: string, Token = 'device-1', more: object = {}) =>
    (await test.call('CreatePlatformEndpoint', { PlatformApplicationArn, Token, ...more })).EndpointArn;

  it('are endpoints of a platform application', async () => {
    const app = await application();
    assert.equal(app, `arn:aws:sns:us-east-1:${ACCOUNT}:app/GCM/app`);
    const arn = await device(app, 'device-1', { CustomUserData: 'ada' });
    assert.match(arn, new RegExp(`^arn:aws:sns:us-east-1:${ACCOUNT}:endpoint/GCM/app/[\\da-f-]{36}$`));
    assert.equal(await device(app, 'device-1', { CustomUserData: 'ada' }), arn);
    await assert.rejects(device(app, 'device-1', { CustomUserData: 'bob' }), {
      code: 'InvalidParameter',
      message: `Invalid parameter: Token Reason: Endpoint ${arn} already exists with the same Token, but different attributes.`,
    });
    assert.deepEqual((await test.call('GetEndpointAttributes', { EndpointArn: arn })).Attributes, {
      Enabled: 'true',
      Token: 'device-1',
      CustomUserData: 'ada',
    });
    const listed = await test.call('ListEndpointsByPlatformApplication', { PlatformApplicationArn: app });
    assert.deepEqual(
      listed.Endpoints.map(({ EndpointArn }: { EndpointArn: string }) => EndpointArn),
      [arn],
    );
    await test.call('DeletePlatformApplication', { PlatformApplicationArn: app });
    await assert.rejects(test.call('GetEndpointAttributes', { EndpointArn: arn }), { code: 'NotFound', status: 404 });
    assert.deepEqual((await test.call('ListPlatformApplications')).PlatformApplications, []);
  });

  it('keep credentials to themselves, and check what they are given', async () => {
    const PlatformApplicationArn = await application('APNS', { ApplePlatformTeamID: 'T' });
    const { Attributes } = await test.call('GetPlatformApplicationAttributes', { PlatformApplicationArn });
    assert.deepEqual(Attributes, { Enabled: 'true', ApplePlatformTeamID: 'T' });
    const create = (Platform: string, Attributes: object) =>
      test.call('CreatePlatformApplication', { Name: 'a', Platform, Attributes });
    await assert.rejects(create('PIGEON', { PlatformCredential: 'x' }), { code: 'InvalidParameter' });
    await assert.rejects(create('GCM', {}), {
      message: 'Invalid parameter: Attributes Reason: Platform credential is required',
    });
    await assert.rejects(create('ADM', { PlatformCredential: 'x' }), { code: 'InvalidParameter' });
    await assert.rejects(create('GCM', { PlatformCredential: 'x', SuccessFeedbackRoleArn: 'r' }), {
      code: 'NotImplemented',
    });
    await assert.rejects(device(`${PlatformApplicationArn}x`), { code: 'NotFound' });
  });

  it('get the payload of their platform', async () => {
    const gcm = await device(await application('GCM'));
    const apns = await device(await application('APNS_SANDBOX'));
    const topic = await test.topic();
    await test.subscribe(topic, 'application', gcm);
    await test.subscribe(topic, 'application', apns);
    const Message = JSON.stringify({ default: 'd', GCM: '{"notification":{"title":"t"}}' });
    await test.publish(topic, Message, { MessageStructure: 'json' });
    const bodies = Object.fromEntries((await test.outbox()).map(({ body, platform }) => [platform, JSON.parse(body)]));
    assert.deepEqual(bodies, { GCM: { notification: { title: 't' } }, APNS_SANDBOX: { aps: { alert: 'd' } } });

    await test.call('Publish', {
      TargetArn: gcm,
      Message: 'plain',
      MessageAttributes: { 'AWS.SNS.MOBILE.GCM.TTL': { DataType: 'Number', StringValue: '60' } },
    });
    const last = (await test.outbox()).at(-1)!;
    assert.deepEqual(
      [last.kind, last.to, last.deviceToken, JSON.parse(last.body), last.options],
      ['push', gcm, 'device-1', { data: { default: 'plain' } }, { 'AWS.SNS.MOBILE.GCM.TTL': '60' }],
    );
  });

  it('need no default text when they are published to directly', async () => {
    const TargetArn = await device(await application());
    const publish = (message: object) =>
      test.call('Publish', { TargetArn, MessageStructure: 'json', Message: JSON.stringify(message) });
    await publish({ GCM: '{"data":{}}' });
    await assert.rejects(publish({ APNS: '{}' }), { code: 'InvalidParameter' });
    await assert.rejects(test.call('Publish', { TargetArn: `${TargetArn.slice(0, -1)}x`, Message: 'm' }), {
      code: 'InvalidParameter',
    });
  });

  it('can be disabled, and their application too', async () => {
    const app = await application();
    const TargetArn = await device(app);
    const set = (Enabled: string) =>
      test.call('SetEndpointAttributes', { EndpointArn: TargetArn, Attributes: { Enabled } });
    await set('false');
    await assert.rejects(test.call('Publish', { TargetArn, Message: 'm' }), {
      code: 'EndpointDisabled',
      message: 'Endpoint is disabled',
    });
    await set('true');
    await test.call('SetPlatformApplicationAttributes', {
      PlatformApplicationArn: app,
      Attributes: { Enabled: 'false' },
    });
    await assert.rejects(test.call('Publish', { TargetArn, Message: 'm' }), { code: 'PlatformApplicationDisabled' });
  });

  it('tell a topic of their changes', async () => {
    const topic = await test.topic();
    await test.subscribe(topic, 'sqs', QUEUE);
    const events = ['EventEndpointCreated', 'EventEndpointUpdated', 'EventEndpointDeleted'];
    const app = await application('GCM', Object.fromEntries(events.map((name) => [name, topic])));
    const EndpointArn = await device(app);
    await test.call('SetEndpointAttributes', { EndpointArn, Attributes: { Token: 'device-2' } });
    await test.call('DeleteEndpoint', { EndpointArn });
    await test.settle();
    const told = test.arrivals.map(({ body }) => JSON.parse(JSON.parse(body).Message));
    assert.deepEqual(
      told.map(({ EventType }) => EventType),
      ['EndpointCreated', 'EndpointUpdated', 'EndpointDeleted'],
    );
    assert.equal(told[0].EndpointArn, EndpointArn);
  });
});

describe('the outbox', () => {
  const send = (Message: string, PhoneNumber = PHONE) => test.call('Publish', { PhoneNumber, Message });

  it('keeps the newest 10,000 entries of an account', async () => {
    await test.store.put(['sns', 'outbox', ACCOUNT, 9_999], { kind: 'sms', to: PHONE, id: 9_999 });
    await test.store.put(['sns', 'outbox', ACCOUNT, 1], { kind: 'sms', to: PHONE, id: 1 });
    await send('10,000');
    assert.equal((await test.outbox()).length, 3);
    await send('10,001');
    assert.deepEqual(
      (await test.outbox()).map(({ id }) => id),
      [9_999, 10_000, 10_001],
    );
  });

  it('is listed by kind, receiver and region, the newest', async () => {
    for (const message of ['1', '2', '3']) await send(message);
    await send('4', '+4915112345679');
    const { outbox } = test.sns;
    const bodies = async (query: object, limit = 10) =>
      (await outbox.list({ account: ACCOUNT, ...query }, limit)).map(({ body }) => body);
    assert.deepEqual(await bodies({}, 2), ['3', '4']);
    assert.deepEqual(await bodies({ to: PHONE }), ['1', '2', '3']);
    assert.deepEqual(await bodies({ kind: 'email' }), []);
    assert.deepEqual(await bodies({ region: 'eu-west-1' }), []);
    await test.call('Publish', { PhoneNumber: PHONE, Message: 'theirs' }, as(OTHER));
    assert.equal((await bodies({})).length, 4);
    assert.equal(await outbox.clear({ account: ACCOUNT, to: PHONE }), 3);
    assert.deepEqual(await bodies({}), ['4']);
  });

  it('goes on counting after a restart', async () => {
    await send('1');
    await test.stop();
    await test.run();
    await send('2');
    assert.deepEqual(
      (await test.outbox()).map(({ id }) => id),
      [1, 2],
    );
  });

  it('is followed', async () => {
    const gone = new AbortController();
    const seen: string[] = [];
    await send('0');
    await send('1');
    const following = (async () => {
      for await (const { body } of test.sns.outbox.follow({ account: ACCOUNT, kind: 'sms' }, 1, gone.signal)) {
        seen.push(body);
        if (seen.length === 3) gone.abort();
      }
    })();
    await send('2');
    await send('3');
    await following;
    assert.deepEqual(seen, ['1', '2', '3']);
  });
});
