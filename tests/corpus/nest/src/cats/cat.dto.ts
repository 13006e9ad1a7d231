import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsEmail, IsInt, IsISBN, IsMobilePhone, IsOptional, IsString, Length, Max } from 'class-validator';

export class CatDto {
  @ApiProperty() @IsString() @Length(2, 20) name: string;
  @ApiProperty() @IsInt() @Max(30) @Type(() => Number) age: number;
  @IsOptional() @IsEmail() mail?: string;
  @IsOptional() @IsMobilePhone('de-CH' as never) phone?: string;
  @IsOptional() @IsISBN() book?: string;
  @IsOptional() @IsDate() @Type(() => Date) born?: Date;
}
