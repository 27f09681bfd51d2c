import fc from 'fast-check';
import mongoose from 'mongoose';
import { documentBytes } from '../store/document-size.ts';

test('a document is as large as BSON makes it', () => {
  const documents = fc.dictionary(
    fc
      .string({ unit: 'grapheme' })
      .filter((key) => !['_bsontype', '__proto__', 'toBSON'].includes(key) && !key.includes('\0')),
    fc.jsonValue({ stringUnit: 'grapheme' }),
  );
  fc.assert(
    fc.property(documents, fc.date({ noInvalidDate: true }), (document, at) => {
      const whole = { ...document, at, nested: { document, list: [document, at, -0, 2 ** 31, -(2 ** 31)] } };
      expect(documentBytes(whole)).toBe(mongoose.mongo.BSON.serialize(whole).length);
    }),
  );
});
