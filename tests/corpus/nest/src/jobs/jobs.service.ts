import { Injectable } from '@nestjs/common';
import { createHash } from 'crypto';

@Injectable()
export class JobsService {
  run() {
    return { job: createHash('sha1').update('job').digest('hex'), day: new Date(0).toLocaleDateString('sv', { timeZone: 'Asia/Tokyo' }) };
  }
}
