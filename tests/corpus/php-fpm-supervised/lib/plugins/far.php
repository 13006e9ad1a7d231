<?php
Site\Hooks::add('job_power', fn () => bcpow('2', '200'));
Site\Hooks::add('job_zone', fn () => (new DateTimeImmutable('2024-07-01 12:00', new DateTimeZone('UTC')))->setTimezone(new DateTimeZone('Asia/Kathmandu'))->format(DATE_ATOM));
Site\Hooks::add('job_fetch', function () {
    $curl = curl_init('http://127.0.0.1:8080/fpm-ping');
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 5]);
    return curl_exec($curl) ?: curl_error($curl);
});
