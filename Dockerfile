# imprint with PyTorch for NVIDIA GPUs, which PyPI's wheels bring CUDA along for; it runs on a CPU, too.
#   docker build -t imprint .
#   docker run --rm --gpus all -v "$PWD:/work" -v imprint-cache:/cache imprint train model=sdxl method=lora ...
FROM python:3.12-slim

# Caches of models, features and the hub lie in one volume, so that a new container downloads nothing again.
ENV PYTHONUNBUFFERED=1 \
    HF_HOME=/cache/huggingface \
    IMPRINT_CACHE=/cache/imprint \
    XDG_CONFIG_HOME=/cache/config

WORKDIR /opt/imprint
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
COPY conf ./conf
RUN pip install --no-cache-dir --constraint constraints.txt '.[adam8bit,bf16,formats,hub,joblib,quantise,search,tensorboard]' \
    && useradd --create-home --uid 1000 imprint \
    && mkdir -p /cache /work \
    && chown imprint:imprint /cache /work

USER 1000
WORKDIR /work
VOLUME ["/cache"]
ENTRYPOINT ["imprint"]
CMD ["--help"]
