import '../models/schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

/** Services that are not served, whose clients exercise the protocols that the served ones do not. */

export const ec2Model: ServiceModel = {
  name: 'ec2',
  protocols: ['ec2Query'],
  version: '2016-11-15',
  xmlNamespace: 'http://ec2.amazonaws.com/doc/2016-11-15',
  schemas: () => import('@aws-sdk/client-ec2/dist-es/schemas/schemas_0.js'),
};

export const cloudWatchModel: ServiceModel = {
  name: 'monitoring',
  protocols: ['awsJson1_0', 'rpcv2Cbor', 'query'],
  version: '2010-08-01',
  target: 'GraniteServiceVersion20100801',
  xmlNamespace: 'http://monitoring.amazonaws.com/doc/2010-08-01/',
  queryCompatible: true,
  schemas: () => import('@aws-sdk/client-cloudwatch/dist-es/schemas/schemas_0.js'),
};

export const dynamoDbModel: ServiceModel = {
  name: 'dynamodb',
  protocols: ['awsJson1_0', 'rpcv2Cbor'],
  version: '2012-08-10',
  target: 'DynamoDB_20120810',
  schemas: () => import('@aws-sdk/client-dynamodb/dist-es/schemas/schemas_0.js'),
};

export const apiGatewayModel: ServiceModel = {
  name: 'apigateway',
  protocols: ['restJson1'],
  version: '2015-07-09',
  schemas: () => import('@aws-sdk/client-api-gateway/dist-es/schemas/schemas_0.js'),
};
