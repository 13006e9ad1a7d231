from celery import chain, group, shared_task


@shared_task
def power(base, exponent):
    return base**exponent


@shared_task
def total(values):
    return sum(values)


@shared_task(autoretry_for=(ZeroDivisionError,), retry_kwargs={"max_retries": 1, "countdown": 0})
def ratio(a, b):
    return a / b


def sum_of_squares(n):
    return chain(group(power.s(i, 2) for i in range(n)), total.s())
