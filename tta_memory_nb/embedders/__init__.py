"""Embedders: what turns a text into a vector, so that texts can be compared by meaning.

    base.py                   Embedder (the protocol), the table of names, and the embedder that a name means
    checking.py               asks an embedder, within a time limit, and checks what it answers
    packages.py               finds packages and their files
    function.py               any callable
    wordllama.py              the vectors inside the wheel of WordLlama
    minilm.py                 a sentence encoder in an ONNX file, with onnxruntime
    model2vec.py              models of Model2Vec
    sentence_transformers.py  models of Sentence Transformers
    fastembed.py              models of FastEmbed
    endpoint.py               servers that speak the protocol of OpenAI

docs/how-to/bring-an-embedder.md explains how to use them.
"""
