import mongoose from 'mongoose';
import {
  callFault,
  DOCUMENT_ERRORS,
  PASSING_WRITE_ERRORS,
  writeErrorFault,
} from '../store/mongodb-errors.ts';

const { mongo } = mongoose;
const serverError = (code: number, message = 'no') => new mongo.MongoServerError({ message, code });

describe('one document of a write', () => {
  test.each([
    [
      11000,
      'E11000 duplicate key error collection: activity_db.activities index: _id_ dup key: { _id: "a" }',
      'duplicate',
    ],
    [
      11000,
      'E11000 duplicate key error collection: activity_db.activities index: userId_1 dup key',
      'rejected',
    ],
    [121, 'Document failed validation', 'rejected'],
    [10334, 'BSONObj size is invalid', 'rejected'],
    [17280, 'key too large to index', 'rejected'],
    [987_654, 'a code that nobody knows', 'rejected'],
    [14031, 'out of disk', 'unavailable'],
    [10107, 'not primary', 'unavailable'],
  ])('code %i, %s: %s', (code, errmsg, fault) => {
    expect(writeErrorFault({ code, errmsg })).toBe(fault);
  });

  test.each(Object.keys(PASSING_WRITE_ERRORS))('code %s passes', (code) => {
    expect(writeErrorFault({ code: Number(code), errmsg: '' })).toBe('unavailable');
    expect(DOCUMENT_ERRORS).not.toHaveProperty(code);
  });
});

describe('a whole call', () => {
  test.each<[string, unknown, string]>([
    ['bson cannot write it', new mongo.BSON.BSONError('key must not contain null bytes'), 'rejected'],
    ['it ends past the buffer', new RangeError('The value of "offset" is out of range'), 'rejected'],
    [
      'the driver measured it',
      new mongo.MongoInvalidArgumentError('Document is larger than the maximum size 16777216'),
      'rejected',
    ],
    ['the server measured it', serverError(10334), 'rejected'],
    ['wrong password', serverError(18, 'Authentication failed.'), 'misconfigured'],
    ['not allowed', serverError(13, 'not authorized'), 'misconfigured'],
    ['Atlas, wrong password', serverError(8000, 'bad auth : authentication failed'), 'misconfigured'],
    ['Atlas, over the quota', serverError(8000, 'you are over your space quota'), 'unavailable'],
    ['not primary', serverError(10107), 'unavailable'],
    ['out of disk', serverError(14031), 'unavailable'],
    ['write concern timed out', serverError(64), 'unavailable'],
    ['a faulty command', serverError(2, 'BadValue'), 'unavailable'],
    ['a code that nobody knows', serverError(987_654), 'unavailable'],
    ['network', new mongo.MongoNetworkError('connection closed'), 'unavailable'],
    ['network timeout', new mongo.MongoNetworkTimeoutError('timed out'), 'unavailable'],
    ['closed meanwhile', new mongo.MongoTopologyClosedError('Topology is closed'), 'unavailable'],
    ['no connection for it', new mongo.MongoNotConnectedError('not connected'), 'unavailable'],
    ['no server', new mongoose.Error.MongooseServerSelectionError('no server'), 'unavailable'],
    ['DNS', Object.assign(new Error('querySrv ENOTFOUND'), { syscall: 'querySrv' }), 'unavailable'],
    ['wrong use of the driver', new mongo.MongoInvalidArgumentError('no such option'), 'unexpected'],
    ['a bug', new TypeError('undefined is not a function'), 'unexpected'],
  ])('%s', (_title, error, fault) => {
    expect(callFault(error)).toBe(fault);
  });
});
