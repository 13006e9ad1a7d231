<?php

namespace App\Entity;

use Symfony\Component\Validator\Constraints as Assert;
use Symfony\Component\Validator\Mapping\ClassMetadata;

final class Note
{
    public ?int $id = null;
    public string $title = '';
    public string $text = '';
    public ?string $mail = null;
    public float $price = 0;
    public string $day = '2024-01-01';

    public static function rules(ClassMetadata $rules): void
    {
        $rules->addPropertyConstraint('title', new Assert\NotBlank());
        $rules->addPropertyConstraint('title', new Assert\Length(['max' => 20]));
        $rules->addPropertyConstraint('mail', new Assert\Email());
        $rules->addPropertyConstraint('price', new Assert\PositiveOrZero());
        $rules->addPropertyConstraint('day', new Assert\Date());
    }
}
