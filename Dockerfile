# One image for every role; OMS_PROCESSES chooses (docs/operations.md).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 10001 oms && install -d -o oms -g oms -m 0700 /data /data/files
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .

USER oms
ENV OMS_ENV=production OMS_DATA_DIR=/data PORT=8000
EXPOSE 8000
# Longer than a running task may still need after SIGTERM.
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "up"]
